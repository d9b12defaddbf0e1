// Reading the server's events about new data. Runs in a page and in a worker.

const ADDRESS = new URL("../../events", import.meta.url);
const RETRY_MS = 2000;

// Calls `onConnection` with whether the server can be reached, and `onData` when it has newer data
// than at the first event. After a lost connection, and where `isBehind` says so, the data counts
// as newer. Calls `onRefused` when the server asks who this is, because the session has ended. Ends
// only by the signal.
export async function readEvents({ onConnection, onData, onRefused, isBehind = false, signal }) {
  let known = null;
  const notify = (event) => {
    if (isBehind || (known !== null && event !== known)) onData();
    known = event;
    isBehind = false;
  };
  while (!signal?.aborted) {
    try {
      // The server ends each stream after some minutes: that is not a lost connection.
      await readOneStream({ onOpen: () => onConnection(true), onRefused, notify, signal });
    } catch {
      if (signal?.aborted) return;
      isBehind = true;
      onConnection(false);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function readOneStream({ onOpen, onRefused, notify, signal }) {
  // The header says that a page asks: the server then accepts the key that the browser keeps.
  const headers = { "X-Requested-With": "storemon" };
  const answer = await fetch(ADDRESS, { headers, signal });
  if (answer.status === 401) onRefused();
  if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
  onOpen();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) if (event.startsWith("event: data")) notify(event);
  }
}
