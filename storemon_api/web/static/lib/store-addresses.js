// Addresses of stores. An id is one encoded segment of the path; but browsers resolve `.` and `..`
// in a path also when they are encoded, so these two ids are sent in the query.

import { get, root } from "./api.js";

const isDots = (storeId) => storeId === "." || storeId === "..";

export function pageOf(storeId) {
  if (isDots(storeId)) return `${root}/store/-?store_id=${storeId}`;
  return `${root}/store/${encodeURIComponent(storeId)}`;
}

// The JSON of a store, or of one of its views, such as "/timeline".
export function getStore(storeId, view = "", parameters = {}) {
  if (isDots(storeId)) return get(`/stores/-${view}`, { ...parameters, store_id: storeId });
  return get(`/stores/${encodeURIComponent(storeId)}${view}`, parameters);
}
