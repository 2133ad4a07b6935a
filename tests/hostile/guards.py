"""Each guard: the line that is broken, the hostile request that must then get through, and what is then said to it.

Where a second guard would still refuse the request, both are broken, and `also` says why there are two.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.hostile.breaking import Break

CA = "gateway.oauth.client_assertion:ClientAssertions."
DPOP = "gateway.oauth.dpop:DpopProofs."
JOSE = "gateway.oauth.jose:"
AT = "gateway.oauth.access_token:AccessTokens."
DOOR = "gateway.oauth.authenticator:TokenAuthenticator."
GRANTS = "gateway.oauth.grants:"
PAR = "gateway.oauth.par:"
STORE = "gateway.store.oauth_grants:StoredGrants."
RAR = "gateway.oauth.rar:"
REG = "gateway.services.register_client:RegisterClient."

SETTLED = Break(
    "gateway.store.oauth_counter:SqliteCounter._one", ".rowcount != 1 and said == OK", ".rowcount != 1 and False"
)
ASSERTION_KEY = Break(CA + "_verify", "verify(jws, key or nobody(alg))", "pass")
ALG_LIST = Break(JOSE + "read_header", 'header.get("alg") not in ALGORITHMS or ', "")
TOKEN_KEY = Break(AT + "_verify", 'verify(jws, key, ("ES256",))', "pass")
PROOF_KEY = Break(DPOP + "_signed", "verify(jws, key, ALGORITHMS)", "pass")
NOT_USED = Break(STORE + "find_refresh_token", "oauth_refresh_token.c.used_at_us.is_(None),", "")
COVERED = Break(
    "gateway.store.consent_use:_covers", "if not detail.datatypes <= frozenset(orjson.loads(row.items)):", "if False:"
)
RECORDABLE = Break(RAR + "_read", 'claimed({"code": code, "reference": reference}, register) is None or ', "")
STRANGER_HOST = Break("gateway.web.middleware:Front._host_refusal", 'return "HOST_NOT_ALLOWED"', "return None")
SINGLE = Break("gateway.web.graphql:single", 'headers[name] = b"twice"', "pass")
COMMIT = "gateway.store.sqlite_journal:_let_in"
REVOKED = Break("gateway.store.door:StoredDoor._answer", "said = REVOKED", "pass")


@dataclass(frozen=True)
class Guard:
    """`then`: the status once it is broken. `first`: it is broken before the request is built, because what it does, it does
    to an earlier step."""

    id: str
    hostile: str
    breaks: tuple[Break, ...]
    then: int = 200
    also: str = ""
    first: bool = False


def one(
    id: str, hostile: str, place: str, old: str, new: str = "if False:", then: int = 200, first: bool = False
) -> Guard:
    return Guard(id, hostile, (Break(place, old, new),), then, first=first)


def both(id: str, hostile: str, also: str, *breaks: Break, then: int = 200, first: bool = False) -> Guard:
    return Guard(id, hostile, breaks, then, also, first)


FORM = "gateway.web.forms:"
BODY = "gateway.web.body:read_body"
BODY_SIZE = "gateway.web.body:_grown"

GUARDS = [
    # Client assertions.
    one("basic beside", "shape-two-ways-token", CA + "authenticate", 'b"authorization" in headers or ', ""),
    one("secret beside", "shape-secret-too-token", CA + "authenticate", ' or "client_secret" in form', ""),
    one("assertion type", "assertion-type-saml", CA + "authenticate", "if kind != ASSERTION_TYPE:"),
    one("iss is sub", "assertion-iss-other", CA + "_by_assertion", ' or claims.get("iss") != subject', ""),
    one("client_id is sub", "assertion-client-id-other", CA + "_by_assertion", " or client_id not in (None, subject)", ""),
    one("aud", "assertion-aud-token-endpoint", CA + "_by_assertion", 'if claims.get("aud") != self._issuer:'),
    one("aud is a text", "assertion-aud-array", CA + "_by_assertion", 'claims.get("aud") != self._issuer', 'self._issuer not in claims["aud"]'),
    one("exp is near", "assertion-exp-far", CA + "_check_times", " <= now + FARTHEST_EXP_S + SKEW_S", ""),
    one("exp is ahead", "assertion-exp-past", CA + "_check_times", "not now < exp <=", "not exp <="),
    one("exp is a number", "assertion-exp-text", "gateway.oauth.client_assertion:_number",
        "if isinstance(value, bool) or not isinstance(value, int | float):"),
    one("true is no number", "assertion-iat-true", "gateway.oauth.client_assertion:_number", "isinstance(value, bool) or ", ""),
    one("nbf", "assertion-nbf-future", CA + "_check_times", '("nbf", "iat")', '("iat",)'),
    one("iat", "assertion-iat-future", CA + "_check_times", '("nbf", "iat")', '("nbf",)'),
    one("jti is a text", "assertion-jti-number", CA + "_by_assertion", "if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:"),
    one("jti is short", "assertion-jti-long", CA + "_by_assertion", "0 < len(jti) <= _LONGEST_JTI", "0 < len(jti)"),
    Guard("assertion once", "assertion-replayed", (SETTLED,)),
    Guard("assertion once, anywhere", "assertion-replayed-elsewhere", (SETTLED,)),
    one("jti by client", "assertion-jti-again", CA + "_by_assertion", 'f"{subject}\\0{jti}"', 'f"{subject}\\0{jti}{assertion}"'),
    Guard("assertion signature", "assertion-wrong-key", (ASSERTION_KEY,)),
    Guard("assertion payload", "assertion-tampered", (ASSERTION_KEY,)),
    Guard("assertion jku", "assertion-jku", (ASSERTION_KEY,)),
    both("algorithm none", "assertion-alg-none", "the signature would not verify", ALG_LIST, ASSERTION_KEY),
    both("hs256 by the public key", "assertion-hs256-pem", "the signature would not verify", ALG_LIST, ASSERTION_KEY),
    both("rs256", "assertion-rs256", "the signature would not verify", ALG_LIST, ASSERTION_KEY),
    one("crit", "assertion-crit", JOSE + "read_header", '"crit" in header or ', ""),
    one("b64", "assertion-b64-false", JOSE + "read_header", ' or "b64" in header', ""),
    one("doubled names", "assertion-doubled-claim", JOSE + "_once", 'raise JoseInvalid("doubled")', "return"),
    one("one spelling", "assertion-respelt", JOSE + "canonical", "if base64url(raw) != part:"),
    one("no padding", "assertion-padded", JOSE + "canonical", "if base64url(raw) != part:"),
    one("size of a JWS", "assertion-huge", JOSE + "split", "len(compact) > limit or ", ""),
    one("kid selects", "assertion-neighbour-kid", "gateway.oauth.jwks:KeySet.select", "(kid is None or key.kid == kid)", "True"),
    both("disabled client", "assertion-disabled-client", "what was read is compared with what stands there when it is settled",
         Break("gateway.store.oauth_clients:StoredClients.read", " or row.disabled_at_us is not None", ""),
         Break("gateway.store.oauth_counter:SqliteCounter._one", " AND disabled_at_us IS NULL", "")),
    # Shapes.
    one("doubled parameter", "shape-grant-type-twice", FORM + "parse_form", "if name in found:"),
    one("form type", "shape-json-type-token", FORM + "read_form", 'kind != "application/x-www-form-urlencoded" or ', ""),
    one("form charset", "shape-charset-gbk", FORM + "read_form", 'parameters.get("charset", "utf-8").lower()', '"utf-8"'),
    one("parameters counted", "shape-many-parameters", FORM + "parse_form", "max_num_fields=fields", "max_num_fields=None"),
    one("UTF-8", "shape-utf8-invalid", FORM + "parse_form", 'errors="strict"', 'errors="replace"'),
    both("body size", "shape-large-token", "once as it is announced, once as it comes",
         Break(BODY, " or int(announced) > limit", ""), Break(BODY_SIZE, "if size > limit:", "if False:")),
    one("body size, streamed", "shape-chunks-large", BODY_SIZE, "if size > limit:", then=400),
    one("method", "shape-put-oauth-token", "gateway.web.oauth:FormEndpoint._reply", 'if scope["method"] != "POST":', then=415),
    Guard("host", "shape-host-foreign", (STRANGER_HOST,)),
    one("grant type of a client", "grant-not-registered", "gateway.oauth.flow_request:FlowClient.check_grant_type",
        "grant_type in self.registered.grant_types", "True"),
    one("scope of a client", "scope-consent", "gateway.oauth.flow_request:FlowClient.get_allowed_scope",
        " and self.registered.scope.issuperset(asked)", ""),
    one("resource", "target-other", "gateway.oauth.issue:resource_asked", "asked not in terms.resources or ", ""),
    # Rich authorization requests.
    one("partner names something", "rar-none", RAR + "check_for", "if partner and not asked:"),
    one("partner names a consent", "rar-system-consent", RAR + "check_for", "if partner != (one.detail.consent_id is not None):"),
    one("details doubled names", "rar-doubled-member", RAR + "_once", "if len(found) != len(pairs):"),
    one("unknown member", "rar-member-unknown", RAR + "_read", "if value.keys() - _MEMBERS:"),
    one("type of details", "rar-type-unknown", RAR + "_read", " or value.get(\"type\") != RAR_TYPE", ""),
    one("only to read", "rar-action-write", RAR + "_read", 'value.get("actions", ["read"]) != ["read"] or ', ""),
    one("only here", "rar-location-other", RAR + "_read", ' or value.get("locations", [location]) != [location]', ""),
    both("wildcard", "rar-wildcard", "no consent covers a wildcard",
         Break(RAR + "_datatypes", "_DATATYPE.fullmatch(one)", "True"), COVERED),
    Guard("within the consent", "rar-not-consented", (COVERED,)),
    one("consent's end", "rar-until-beyond", GRANTS + "ClientCredentialsGrant._covered", "one.detail.until > end", "False"),
    one("uses a day", "rar-per-day-zero", RAR + "_per_day", " or not 0 < limit <= 100_000", ""),
    Guard("reference is recordable", "rar-reference-id-number", (RECORDABLE,)),
    both("NUL in a reference", "rar-reference-nul", "no reference is recorded with a NUL in it",
         Break(RAR + "_text", " or not found.isprintable()", ""), RECORDABLE),
    # Pushed requests and the page.
    one("request_uri in PAR", "par-request-uri", PAR + "refuse_misplaced", 'if "request_uri" in form:', then=201),
    one("request object", "par-request-object", PAR + "refuse_misplaced", 'if "request" in form:', then=201),
    one("response_mode", "par-response-mode", PAR + "refuse_misplaced", 'if form.get("response_mode", "query") != "query":', then=201),
    both("redirect_uri", "redirect-suffix", "authlib asks once more",
         Break(PAR + "refuse_misplaced", 'if form.get("redirect_uri") not in client.redirect_uris:', "if False:"),
         Break("gateway.oauth.flow_request:FlowClient.check_redirect_uri", "redirect_uri in self.registered.redirect_uris", "True"), then=201),
    both("redirect_uri of another", "redirect-other-client", "authlib asks once more",
         Break(PAR + "refuse_misplaced", 'if form.get("redirect_uri") not in client.redirect_uris:', "if False:"),
         Break("gateway.oauth.flow_request:FlowClient.check_redirect_uri", "redirect_uri in self.registered.redirect_uris", "True"), then=201),
    one("PKCE method", "par-plain", "gateway.oauth.pkce:S256.validate_code_challenge",
        'if given.get("code_challenge_method") != "S256":', then=201),
    one("PKCE method is said", "par-method-missing", "gateway.oauth.pkce:S256.validate_code_challenge",
        'if given.get("code_challenge_method") != "S256":', then=201),
    one("PKCE length", "par-challenge-short", "gateway.oauth.pkce:S256.validate_code_challenge",
        "len(challenge) != _CHALLENGE_LENGTH or ", "", then=201),
    one("PKCE letters", "par-challenge-charset", "gateway.oauth.pkce:S256.validate_code_challenge",
        " or not _UNRESERVED.issuperset(challenge)", "", then=201),
    one("max_age", "par-max-age-negative", PAR + "_max_age", "if not text.isascii() or not text.isdigit() or len(text) > 9:", then=201),
    one("prompt", "par-prompt-unknown", PAR + "_prompt", "not _PROMPTS.issuperset(asked) or ", "", then=201),
    one("length of state", "par-state-long", PAR + "check_lengths", 'if len(form.get(name, "")) > longest:', then=201),
    one("dpop_jkt is the proof's", "par-jkt-other", PAR + "dpop_key", " or jkt not in (None, wanted)", "", then=201),
    one("dpop_jkt is a thumbprint", "par-jkt-malformed", PAR + "dpop_key", "not _THUMBPRINT.fullmatch(wanted) or ", "", then=201),
    one("purposes of a client", "par-purpose-other", RAR + "check_for", "if one.detail.purpose not in client.purposes:", then=201),
    both("request_uri's client", "authorize-of-another", "its redirect_uri is not the other client's",
         Break("gateway.services.authorize:Authorize.load", " or pushed.client_id != client_id", ""),
         Break("gateway.services.authorize:Authorize.load", 'if asked["redirect_uri"] not in client.redirect_uris:', "if False:"), then=303),
    one("request_uri once", "authorize-used", "gateway.store.oauth_pushed:_open", " table.c.used_at_us.is_(None),", "", then=303),
    one("request_uri's end", "authorize-expired", "gateway.store.oauth_pushed:_open", "table.c.expires_at_us > now_us", "sa.true()", then=303),
    one("client_id once", "authorize-client-twice", "gateway.web.authorize:_two", "if name in found:", then=400),
    one("form is ours", "authorize-forged-form", "gateway.web.visit:Visit.form", "guard.check(self.headers, form, cookie)", "pass", then=303),
    # Codes and refresh tokens.
    one("code once", "code-used", STORE + "redeem", ", oauth_code.c.used_at_us.is_(None)", ""),
    one("code's client", "code-of-another", GRANTS + "AuthorizationCodeGrant.query_authorization_code",
        " or found.client_id != client.client_id", ""),
    one("code's end", "code-expired", GRANTS + "AuthorizationCodeGrant.query_authorization_code",
        " or found.expires_at <= kit.clock.now()", ""),
    one("code's key", "code-key-of-proof", GRANTS + "AuthorizationCodeGrant.query_authorization_code",
        "if found.dpop_jkt is not None and found.dpop_jkt != self.request.binding.jkt:"),
    one("code's redirect_uri", "code-redirect-other", GRANTS + "FlowCode.get_redirect_uri", "self.kept.redirect_uri", "None"),
    one("code's redirect_uri is said", "code-redirect-missing", GRANTS + "FlowCode.get_redirect_uri", "self.kept.redirect_uri", "None"),
    one("verifier", "code-verifier-wrong", "gateway.oauth.pkce:check_verifier",
        "if not hmac.compare_digest(challenge_of(verifier), challenge):"),
    both("verifier is there", "code-verifier-missing", "no verifier hashes to no challenge",
         Break("gateway.oauth.pkce:check_verifier", "if not 43 <= len(verifier) <= 128 or not _UNRESERVED.issuperset(verifier):", "if False:"),
         Break("gateway.oauth.pkce:check_verifier",
               "if not hmac.compare_digest(challenge_of(verifier), challenge):", "if False:")),
    one("code's resource", "code-target-other", "gateway.oauth.issue:resource_asked",
        "if asked not in terms.resources or (granted is not None and asked != granted):"),
    one("a code shown twice ends its grant", "code-refresh-after-replay", STORE + "redeem", "if grant_id is not None:", first=True),
    one("and its access token", "resource-code-replayed", STORE + "redeem", "if grant_id is not None:", first=True),
    both("refresh token rotated away", "refresh-rotated", "rotation itself is for the first who comes",
         NOT_USED, Break(STORE + "rotate_refresh_token", ", oauth_refresh_token.c.used_at_us.is_(None)", "")),
    one("its return ends the grant", "refresh-heir", STORE + "_end_reused", "if grant_id is not None:", first=True),
    both("refresh token's client", "refresh-of-another", "rotation is for its client alone",
         Break(GRANTS + "FlowRefreshToken.check_client", "self.kept.client_id == client.client_id", "True"),
         Break(STORE + "rotate_refresh_token", ", oauth_refresh_token.c.client_id == client_id", ",")),
    both("revoked grant", "refresh-grant-revoked", "three places look: the refresh token's, the grant's, and the list of revocations",
         Break(STORE + "find_refresh_token", "oauth_grant.c.revoked_at_us.is_(None),", ""),
         Break(STORE + "find", ", oauth_grant.c.revoked_at_us.is_(None)", ""), REVOKED),
    both("refresh token's end", "refresh-expired", "the grant ends at the same moment",
         Break(STORE + "find_refresh_token", "oauth_refresh_token.c.expires_at_us > to_us(self._clock.now()),", ""),
         Break(GRANTS + "_OurGrant.live", " or (grant.expires_at is not None and grant.expires_at <= now)", "")),
    one("scope is not widened", "refresh-scope-wide", "gateway.oauth.issue:narrowed_to", " or not grant.scope.issuperset(asked_scope)", ""),
    both("purpose is not changed", "refresh-purpose-other", "the grant says its purposes a second time",
         Break(RAR + "Asked.within", "if (mine.purpose, mine.consent_id, self.location) != (theirs.purpose, theirs.consent_id, granted.location):", "if False:"),
         Break("gateway.oauth.issue:narrowed_to", 'if not purposes <= set(grant.claims["purposes"]):', "if False:")),
    one("case is not changed", "refresh-case-other", RAR + "Asked.within",
        "if theirs.reference is not None and mine.reference not in (None, theirs.reference):"),
    one("purposes are not added", "refresh-purpose-beyond", "gateway.oauth.issue:narrowed_to", 'if not purposes <= set(grant.claims["purposes"]):'),
    # Proofs.
    Guard("proof once", "dpop-replayed", (SETTLED,)),
    Guard("two proofs", "dpop-two-headers", (SINGLE,)),
    both("proof is there", "dpop-missing", "no token is issued that is bound to nothing",
         Break("gateway.oauth.binding:Binder.__call__", "self._by_proof(incoming, replay)", "self.if_any(incoming, replay)"),
         Break(AT + "issue", "if not cnf:", "if False:")),
    one("htm", "dpop-htm-get", DPOP + "check", 'if claims.get("htm") != method:'),
    one("htu", "dpop-htu-other-path", DPOP + "check", " or normalised(htu) != self._base + path", ""),
    one("htu's host", "dpop-htu-other-host", DPOP + "check", " or normalised(htu) != self._base + path", ""),
    one("proof's future", "dpop-iat-future", DPOP + "check", "abs(now.timestamp() - iat)", "(now.timestamp() - iat)"),
    one("proof's past", "dpop-iat-old", DPOP + "check", "abs(now.timestamp() - iat)", "(iat - now.timestamp())"),
    one("proof's jti", "dpop-jti-number", DPOP + "check", "if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:"),
    one("proof's jti is short", "dpop-jti-long", DPOP + "check", "0 < len(jti) <= _LONGEST_JTI", "0 < len(jti)"),
    one("nonce is wanted", "dpop-nonce-missing", DPOP + "_check_nonce", "if self._required:"),
    one("nonce is ours", "dpop-nonce-forged", DPOP + "_check_nonce", " or not self._nonces.good(nonce)", ""),
    one("nonce is of its endpoint", "dpop-nonce-of-resource", DPOP + "_check_nonce", " or not self._nonces.good(nonce)", ""),
    one("nonce is new", "dpop-nonce-old", DPOP + "_check_nonce", " or not self._nonces.good(nonce)", ""),
    one("proof's type", "dpop-typ-jwt", "gateway.oauth.dpop:_read", 'if header.get("typ") != "dpop+jwt":'),
    one("private key", "dpop-jwk-private", JOSE + "read_key", " or any(name in jwk for name in _PRIVATE)", ""),
    one("key's use", "dpop-jwk-for-encryption", JOSE + "read_key", 'jwk.get("use", "sig") != "sig" or ', ""),
    Guard("proof's signature", "dpop-embedded-other", (PROOF_KEY,)),
    Guard("proof signed with zeros", "dpop-zero-signature", (PROOF_KEY,)),
    both("proof's algorithm none", "dpop-alg-none", "the signature would not verify", ALG_LIST, PROOF_KEY),
    one("size of RSA keys", "dpop-rsa-weak", JOSE + "_check_members", 'int.from_bytes(n, "big").bit_length() in _RSA_BITS', "True"),
    one("size of a proof", "dpop-huge", DPOP + "_signed", "limit=_LONGEST", "limit=10**6"),
    one("proof at PAR", "dpop-at-par-broken", "gateway.oauth.binding:Binder.if_any", "if incoming.dpop is None else", "if True else", then=201),
    # At the resource.
    both("bearer", "resource-bearer", "Bearer is for tokens bound to a certificate, which is looked for",
         Break(DOOR + "_checked", "self._mtls(token, presented)", "pass")),
    one("bearer beside a proof", "resource-bearer-with-proof", DOOR + "_checked", "self._mtls(token, presented)", "pass"),
    one("token's key", "resource-stolen", DOOR + "_dpop", "if not hmac.compare_digest(proof.thumbprint, token.jkt):"),
    one("token's hash", "resource-dpop-ath-other", DPOP + "check", "if wanted is not None:"),
    one("request once", "resource-dpop-replayed", "gateway.store.door:StoredDoor._answer", "said = REPLAYED", "pass"),
    one("token revoked", "resource-revoked", "gateway.store.door:names_of", '("token", one.token_id, 0),', ""),
    one("grant revoked", "resource-grant-revoked", "gateway.store.door:names_of", '("grant", one.grant_id, 0),', ""),
    one("client revoked", "resource-client-ended", "gateway.store.door:names_of", '("client", one.client_id, since_us),', ""),
    one("revocation", "resource-refresh-reused", COMMIT, "said[-1] = REVOKED", "pass"),
    one("audience", "resource-audience-other", DOOR + "_checked", "audience=self._resource", "audience=None"),
    one("scope", "resource-scope-missing", DOOR + "_checked", "if presented.path == _GRAPHQL and SCOPE not in token.scope:"),
    one("token's type", "resource-id-token", AT + "_verify", 'if jws.header.get("typ") not in ("at+jwt", "application/at+jwt"):'),
    one("receipt is no token", "resource-receipt", AT + "_verify", 'if jws.header.get("typ") not in ("at+jwt", "application/at+jwt"):'),
    Guard("token's signature", "resource-tampered-scope", (TOKEN_KEY,)),
    Guard("token's signer", "resource-self-signed", (TOKEN_KEY,)),
    both("token's algorithm", "resource-hs256", "the signature would not verify", ALG_LIST, TOKEN_KEY),
    one("token's spelling", "resource-respelt", JOSE + "canonical", "if base64url(raw) != part:"),
    one("issuer", "resource-issuer-other", AT + "_verify", 'if claims["iss"] != self._issuer:'),
    one("token's future", "resource-iat-future", AT + "_verify", 'if claims["iat"] > self._clock.now().timestamp() + _SKEW_S:'),
    one("token's end", "resource-expired", AT + "verify", "if found.expires_at <= self._clock.now():"),
    both("host at the resource", "resource-host-poisoned", "the proof is compared with our own URL",
         STRANGER_HOST, Break(DPOP + "check", " or normalised(htu) != self._base + path", "")),
    one("two tokens", "resource-two-tokens", "gateway.web.graphql:single", 'headers[name] = b"twice"', "pass"),
    one("nonce at the resource", "resource-dpop-nonce-of-server", DPOP + "_check_nonce", " or not self._nonces.good(nonce)", ""),
    # Others.
    one("who may introspect", "introspect-stranger", "gateway.oauth.introspection:Introspection.check_permission",
        "mine or (client.registered.is_resource_server and token.access is not None)", "True"),
    one("what a resource server sees", "introspect-refresh-rs", "gateway.oauth.introspection:Introspection.check_permission",
        " and token.access is not None", ""),
    Guard("revoked is inactive", "introspect-revoked", (REVOKED,)),
    one("who may revoke", "revoke-access-foreign", "gateway.oauth.revocation:Revocation.authenticate_token", " and found.check_client(client)", ""),
    one("who may revoke a grant", "revoke-refresh-foreign", "gateway.oauth.revocation:Revocation.authenticate_token", " and found.check_client(client)", ""),
    one("initial token once", "register-spent", "gateway.store.oauth_registrations:StoredRegistrations.register",
        "oauth_initial_token.c.uses_left > 0,", "", then=201),
    one("initial token's end", "register-old", "gateway.store.oauth_registrations:StoredRegistrations.register",
        "oauth_initial_token.c.expires_at_us > to_us(now),", "", then=201),
    one("private key registered", "register-private", JOSE + "read_key", " or any(name in jwk for name in _PRIVATE)", "", then=201),
    one("kid once", "register-kid-twice", "gateway.oauth.jwks:check_jwks", "len(set(kids)) != len(kids) or ", "", then=201),
    one("keys counted", "register-many-keys", "gateway.oauth.jwks:_listed", " or len(keys) > MOST_KEYS", "", then=201),
    one("weak key registered", "register-rsa-weak", JOSE + "_check_members", 'int.from_bytes(n, "big").bit_length() in _RSA_BITS', "True", then=201),
    one("jwks_uri", "register-jwks-uri", REG + "_make", 'if "jwks_uri" in metadata:', then=201),
    one("software statement", "register-statement", REG + "_make", 'if "software_statement" in metadata:', then=201),
    one("script as redirect_uri", "register-uri-javascript", "gateway.oauth.registration:_Reader.redirect_uris", "if not (_is_redirect_uri(one) or (kind is WALLET and _is_of_an_app(one))):", then=201),
    one("redirect_uri in the clear", "register-uri-http", "gateway.oauth.registration:_is_redirect_uri",
        'parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost")', 'parts.scheme == "http"', then=201),
    one("fragment", "register-uri-fragment", "gateway.oauth.registration:_is_redirect_uri", ' or "#" in uri', "", then=201),
    one("user in a redirect_uri", "register-uri-userinfo", "gateway.oauth.registration:_is_redirect_uri", ' or "@" in parts.netloc', "", then=201),
    one("public clients", "register-auth-none", "gateway.oauth.registration:_Reader.choice", "if value not in among:", then=201),
    one("algorithms of a client", "register-alg-hs256", "gateway.oauth.registration:_Reader.choice", "if value not in among:", then=201),
    one("name that can be read", "register-name-reversed", "gateway.oauth.registration:_Reader.name", " or not value.isprintable()", "", then=201),
    one("whose registration", "manage-other", REG + "_mine", " or found.client.client_id != client_id", ""),
    one("which registration", "manage-id-other", REG + "change", 'if metadata.get("client_id") != client_id:'),
    # What is asked.
    both("purposes of a token", "ask-purpose-outside-rar", "four places narrow them: login, every token, every caller, and the rules",
         Break("gateway.oauth.token_caller:caller_of", "purposes &= {detail.purpose for detail in details}", "pass"),
         Break("gateway.oauth.issue:claims_of_login", "sorted(wanted or purposes)", "sorted(purposes)"),
         Break("gateway.oauth.issue:still_granted", 'purposes &= {one["purpose"]["code"] for one in details}', "pass"),
         Break("gateway.policy.entitlement:refusal", " or not claim.covered", ""), first=True),
    one("case of a token", "ask-case-outside-rar", "gateway.policy.entitlement:_fits",
        "return detail.reference is None or detail.reference == purpose.case_no", "return True"),
    one("purposes of an officer", "ask-purpose-unregistered", "gateway.policy.entitlement:refusal", "rule.code not in caller.purposes or ", ""),
    one("reference of a partner", "partner-reference-other", "gateway.policy.entitlement:_fits",
        "return None in (detail.reference, purpose.reference) or detail.reference == purpose.reference", "return True"),
]  # fmt: skip
