// What the reader has chosen on a page, kept in its address: Back undoes it, a link shows it again.

// The values of `defaults` hold where the address has none; `allowed` lists what some may be.
// Returns the current choices as `state`, and `choose` to change some of them. `whenChanged` sets
// what happens after a change, by the reader or by Back: it gets the names of what has changed.
export function addressedChoices(defaults, { allowed = {}, blank = "" } = {}) {
  const state = {};
  let react = () => {};
  const changedSince = (before) =>
    Object.keys(defaults).filter((name) => String(before[name]) !== String(state[name]));

  function read() {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(defaults)) {
      const given = query.has(name) ? valueLike(value, query.getAll(name)) : value;
      state[name] = allowed[name]?.includes(given) === false ? value : given;
    }
  }

  // While the reader types, one entry of the history holds the whole text.
  function choose(values, { isTyping = false } = {}) {
    const before = { ...state };
    Object.assign(state, values);
    const changed = changedSince(before);
    if (!changed.length) return;
    const query = withChoices(new URLSearchParams(location.search), state, defaults);
    const text = query.toString() || blank;
    const address = text ? `?${text}` : location.pathname;
    if (isTyping) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    react(changed);
  }

  addEventListener("popstate", () => {
    const before = { ...state };
    read();
    const changed = changedSince(before);
    if (changed.length) react(changed);
  });
  read();
  return {
    state,
    choose,
    whenChanged: (work) => {
      react = work;
    },
  };
}

// The texts of an address as a value of the same type as `example`.
function valueLike(example, texts) {
  if (Array.isArray(example)) return texts.filter(Boolean);
  if (typeof example === "number") return Math.max(0, Math.floor(Number(texts[0]))) || 0;
  return texts[0];
}

// Parameters of others, such as the store of a page, stay as they are.
function withChoices(query, state, defaults) {
  for (const [name, value] of Object.entries(defaults)) {
    query.delete(name);
    if (String(state[name]) === String(value)) continue;
    for (const one of [state[name]].flat()) query.append(name, one);
  }
  return query;
}
