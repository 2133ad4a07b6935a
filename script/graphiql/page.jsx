// The query page: GraphiQL under an officer's login, and a header in Chinese and English.
import React, { useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import { fetcher } from './fetcher.js';
import { Officer, logOut, session } from './officer.js';

// Queries may hold names and ID numbers, and this browser may be shared: nothing but the look of the page is kept.
const nothingKept = {
  length: 0,
  getItem: () => null,
  setItem: () => {},
  removeItem: () => {},
  clear: () => {},
};

const FIRST_QUERY = `# 查询须以 @purpose 说明用途 · state the purpose
# 1. 右上角登录 · log in, top right
# 2. 在下方 Variables 中填写 · fill in below:
#    {"idNo": "...", "name": "..."}
# 3. 在 caseNo 中填案号 · put in the case number
# 4. 运行 · run
# 用途 · codes: { purposes { code title { zh } } }
query Reception($idNo: String!, $name: String!)
@purpose(code: "CC_RECEPTION", caseNo: "") {
  person(idNo: $idNo, name: $name) {
    identity  { state source asOf best { name sex birthDate } }
    residence { state source asOf reason retryAt best { address startOn } }
    insurance { state source asOf reason retryAt records { unitName kind status lastPaidMonth } }
    cases     { state source asOf reason retryAt best { caseNo type state endOn } conflicts { field } }
  }
}
`;

const LOGIN = `/login?continue=${encodeURIComponent(location.pathname)}`;
const NOBODY = { send: () => Promise.reject(new Error('请先登录。 Log in first.')) };

function Page() {
  const [who, setWho] = useState(null); // null: not known yet
  useEffect(() => {
    session().then(setWho, () => setWho({ loggedIn: false }));
  }, []);
  const officer = useMemo(() => (who?.loggedIn ? new Officer(who) : NOBODY), [who]);
  const asking = useMemo(() => fetcher(officer, () => setWho({ loggedIn: false })), [officer]);
  return (
    <>
      <header className="yimen-header">
        <strong lang="zh">一门</strong> <span lang="en">yimen</span>
        <span className="yimen-title"><span lang="zh">查询页</span> · <span lang="en">query page</span></span>
        {who && (who.loggedIn ? <LoggedIn who={who} out={() => setWho({ loggedIn: false })} /> : <Login />)}
        <span className="yimen-note">
          <span lang="zh">查询会被记录，本人可以查看；本页不留存任何内容。</span>{' '}
          <span lang="en">Queries are recorded and the person can see them; this page keeps nothing.</span>
        </span>
      </header>
      <main className="yimen-main">
        <GraphiQL
          key={who?.loggedIn ? who.csrf : ''}
          fetcher={asking}
          schema={who?.loggedIn ? undefined : null} // before a login the schema is not even asked for: the refusal would greet everybody
          storage={nothingKept}
          defaultQuery={FIRST_QUERY}
          isHeadersEditorEnabled={false}
          shouldPersistHeaders={false}
          defaultEditorToolsVisibility="variables"
          forcedTheme="light"
        >
          <GraphiQL.Logo> </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

function Login() {
  if (!window.isSecureContext) {
    return (
      <span className="yimen-note" role="alert">
        <span lang="zh">须用 https 或本机地址打开本页才能登录。</span> <span lang="en">Open this page by https, or on this machine, to log in.</span>
      </span>
    );
  }
  return <a id="yimen-login" className="yimen-button" href={LOGIN}><span lang="zh">登录</span> · <span lang="en">log in</span></a>;
}

function LoggedIn({ who, out }) {
  return (
    <>
      <span id="yimen-who">{who.name}</span>
      <button id="yimen-logout" className="yimen-button" type="button" onClick={() => logOut(who.csrf).then(out)}>
        <span lang="zh">退出</span> · <span lang="en">log out</span>
      </button>
    </>
  );
}

createRoot(document.getElementById('yimen')).render(<Page />);
