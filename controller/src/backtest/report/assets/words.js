"use strict";
// Numbers as people read them, as words.rs has them: three figures at most, a unit.

const NBSP = "\u00a0";

const words = {
  number(x) {
    if (!Number.isFinite(x)) return "–";
    const size = Math.abs(x);
    if (size >= 99.95) return Math.round(x).toLocaleString("en");
    if (size > 0 && size < 0.0995) return String(Number(x.toPrecision(2)));
    return String(Number(x.toFixed(size >= 9.995 ? 1 : 2)));
  },

  /** For an axis, where room is short: `12k`, `1.5M`. */
  short(x) {
    const size = Math.abs(x);
    if (size >= 1e6) return words.number(x / 1e6) + "M";
    return size >= 1e4 ? words.number(x / 1e3) + "k" : words.number(x);
  },

  duration(seconds) {
    if (seconds < 99.5) return words.number(seconds) + NBSP + "s";
    if (seconds < 5400) return words.number(seconds / 60) + NBSP + "min";
    if (seconds < 172800) return words.number(seconds / 3600) + NBSP + "h";
    return words.number(seconds / 86400) + NBSP + "d";
  },

  share: (share) => words.number(share * 100) + NBSP + "%",

  times: (ratio) => ratio.toFixed(2) + NBSP + "×",

  /** A moment in milliseconds: a date, or a day since the beginning where there are no dates. */
  moment(at, isDated) {
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) return words.number(at / 1000) + NBSP + "s"; // beyond the calendar
    const iso = date.toISOString();
    const time = iso.slice(11, 16);
    if (isDated) return `${iso.slice(0, 10)} ${time}`;
    return `day ${Math.floor(at / 86400000) + 1}, ${time}`;
  },
};
