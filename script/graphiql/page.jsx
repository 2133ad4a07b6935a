// The query page: GraphiQL, a token that lives in sessionStorage only, and a header in Chinese and English.
import React, { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { GraphiQL } from 'graphiql';
import { fetcher } from './fetcher.js';

const TOKEN = 'yimen.token';

// Queries may hold names and ID numbers, and this browser may be shared: nothing but the look of the page is kept.
const nothingKept = {
  length: 0,
  getItem: () => null,
  setItem: () => {},
  removeItem: () => {},
  clear: () => {},
};

const FIRST_QUERY = `# 一门 yimen · 每个查询须以 @purpose 说明用途 · every operation states its purpose
# 1. 右上角填入访问令牌 · enter the access token, top right
# 2. 下方 Variables 填入: · fill in Variables below:  {"idNo": "...", "name": "..."}
# 3. 在 caseNo 中填入案号,运行 · put the case number into caseNo, run. 用途代码 · codes: query { purposes { code title { zh en } } }
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

// People paste what they were given: the bare token, "Bearer ...", or the whole header.
const bare = (text) => /Bearer\s+([^\s"']+)/i.exec(text)?.[1] ?? text.trim();

function Page() {
  const [token, setToken] = useState(sessionStorage.getItem(TOKEN) ?? '');
  const keep = (event) => {
    const value = bare(event.target.value);
    setToken(value);
    if (value) sessionStorage.setItem(TOKEN, value);
    else sessionStorage.removeItem(TOKEN);
  };
  const [entered, setEntered] = useState(token);
  return (
    <>
      <header className="yimen-header">
        <strong lang="zh">一门</strong> <span lang="en">yimen</span>
        <span className="yimen-title"><span lang="zh">查询页</span> · <span lang="en">query page</span></span>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setEntered(token);
          }}
        >
          <label htmlFor="yimen-token"><span lang="zh">访问令牌</span> · <span lang="en">access token</span></label>
          <input
            id="yimen-token" type="password" value={token} onChange={keep} autoComplete="off" spellCheck={false}
            aria-describedby="yimen-token-note"
          />
          <button type="submit"><span lang="zh">使用</span> · <span lang="en">use</span></button>
        </form>
        <span id="yimen-token-note" className="yimen-note">
          <span lang="zh">令牌仅存于本标签页，关闭即失；查询会被记录。</span>{' '}
          <span lang="en">The token stays in this tab until it closes; queries are recorded.</span>
        </span>
      </header>
      <main className="yimen-main">
        <GraphiQL
          key={entered}
          fetcher={fetcher(() => sessionStorage.getItem(TOKEN))}
          schema={entered ? undefined : null} // without a token the schema is not even asked for: the refusal would greet everybody
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

createRoot(document.getElementById('yimen')).render(<Page />);
