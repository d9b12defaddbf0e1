// Subscribing a page to events about new data, without holding a connection for each tab.

import { readEvents } from "./event-stream.js";

// Calls `onConnection` with whether the server can be reached, `onData` at newer data, and
// `onRefused` when the session has ended.
export function subscribe(listener) {
  if (typeof SharedWorker === "undefined") {
    readWhileVisible(listener);
    return;
  }
  const worker = new SharedWorker(new URL("events-worker.js", import.meta.url), { type: "module" });
  worker.onerror = () => readWhileVisible(listener);
  worker.port.onmessage = ({ data }) => {
    if (data.isNew) listener.onData();
    else if (data.isRefused) listener.onRefused();
    else listener.onConnection(data.isConnected);
  };
}

// For browsers without shared workers: a hidden tab gives its connection back.
function readWhileVisible(listener) {
  let stop = null;
  let isBehind = false;
  const follow = () => {
    if (document.hidden) {
      stop?.abort();
      stop = null;
      isBehind = true;
    } else if (!stop) {
      stop = new AbortController();
      readEvents({ ...listener, isBehind, signal: stop.signal });
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
