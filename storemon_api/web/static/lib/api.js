// The API client: requests to this server, and the problems that it answers with.

export const root = document.body.dataset.root;

const TIMEOUT_SECONDS = 60;

export class ProblemError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// One request. Throws a ProblemError for every answer but a success, and when none comes in time.
export async function ask(path, options = {}) {
  // Says that a page asks: the server then lets the browser use the key that its user gave it.
  const headers = { ...options.headers, "X-Requested-With": "storemon" };
  const timeout = AbortSignal.timeout(TIMEOUT_SECONDS * 1000);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  let answer;
  try {
    answer = await fetch(root + path, { ...options, headers, signal });
  } catch (error) {
    if (error.name !== "TimeoutError") throw error;
    throw new ProblemError(0, `The server did not answer within ${TIMEOUT_SECONDS} seconds.`);
  }
  if (answer.ok) return answer;
  if (answer.status === 401) signInAgain();
  const problem = await answer.json().catch(() => ({}));
  throw new ProblemError(answer.status, problem.detail || `The server answered ${answer.status}.`);
}

// The session has ended: its user signs in again, and comes back to the same page. Nothing happens
// on a page that was opened with a key, or without any.
export function signInAgain() {
  if (!("signedIn" in document.body.dataset)) return;
  const here = location.pathname + location.search;
  location.assign(`${root}/sign-in?${new URLSearchParams({ next: here })}`);
}

// A path with parameters. Those without a value are left out; arrays are repeated.
export function withParameters(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

// The JSON of a resource.
export async function get(path, parameters = {}) {
  const address = withParameters(path, parameters);
  return (await ask(address, { headers: { Accept: "application/json" } })).json();
}
