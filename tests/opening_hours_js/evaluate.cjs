// The open intervals of texts of opening hours, by opening_hours.js, in minutes since the begin of a
// period. Arguments: a file with a JSON list of texts, the first date of the period and the one
// after its last. Run it with TZ=UTC.
const OpeningHours = require("opening_hours");
const { readFileSync } = require("fs");

const [file, first, end] = process.argv.slice(2);
const begin = new Date(`${first}T00:00:00Z`);
const place = { address: { country_code: "de", state: "" }, lat: 52.5, lon: 13.4 };
const minutes = (at) => (at - begin) / 60000;
const found = {};
for (const text of JSON.parse(readFileSync(file, "utf8"))) {
  try {
    const hours = new OpeningHours(text, place);
    const intervals = hours.getOpenIntervals(begin, new Date(`${end}T00:00:00Z`));
    found[text] = intervals.map(([from, to]) => [minutes(from), minutes(to)]);
  } catch (error) {
    found[text] = String(error).split("\n")[0];
  }
}
console.log(JSON.stringify(found, null, 0));
