// A worker that all tabs of a browser share. It reads one stream of events for all of them: a
// browser opens at most six connections to a host over HTTP/1.1, and each stream holds one.

import { readEvents } from "./event-stream.js";

const ports = new Set();
let isConnected = null;

function tell(message) {
  for (const port of ports) port.postMessage(message);
}

self.onconnect = ({ ports: [port] }) => {
  ports.add(port);
  port.onclose = () => ports.delete(port);
  if (isConnected !== null) port.postMessage({ isConnected });
};

readEvents({
  onConnection(value) {
    isConnected = value;
    tell({ isConnected });
  },
  onData: () => tell({ isNew: true }),
  onRefused: () => tell({ isRefused: true }),
});
