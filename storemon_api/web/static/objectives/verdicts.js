// The words for each verdict on a store's week or month.

export const VERDICTS = {
  missed: { word: "Missed", more: "very likely, so far", tone: "down" },
  "cannot be told": { word: "Cannot be told", more: "too close, or no range", tone: "silent" },
  met: { word: "Met", more: "very likely, so far", tone: "up" },
};
