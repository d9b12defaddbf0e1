// Addresses of stores. An id is one encoded segment of the path; but browsers resolve `.` and `..`
// in a path also when they are encoded, so these two ids are sent in the query.

import { get, root, withParameters } from "./api.js";

const isDots = (storeId) => storeId === "." || storeId === "..";

export function pageOf(storeId) {
  if (isDots(storeId)) return `${root}/store/-?store_id=${storeId}`;
  return `${root}/store/${encodeURIComponent(storeId)}`;
}

// The path of a store, or of one of its views, such as "/timeline".
export function pathOf(storeId, view = "", parameters = {}) {
  if (isDots(storeId)) {
    return withParameters(`/stores/-${view}`, { ...parameters, store_id: storeId });
  }
  return withParameters(`/stores/${encodeURIComponent(storeId)}${view}`, parameters);
}

export const getStore = (storeId, view, parameters) => get(pathOf(storeId, view, parameters));
