// How a text is read, in English: the commonest of the rules in tts_fm/text. What is not here is left to espeak-ng.

const ONES = (
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
  "eighteen nineteen"
).split(" ");
const TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const SCALES = ["", " thousand", " million", " billion", " trillion"];
const IRREGULAR = { one: "first", two: "second", three: "third", five: "fifth", eight: "eighth", nine: "ninth", twelve: "twelfth" };
const MONTHS = "January February March April May June July August September October November December".split(" ");
const MONTH = `(?:${MONTHS.map((name) => `${name}|${name.slice(0, 3)}\\.`).join("|")}|Sept\\.)`;
const NUMBER = "(?:\\d{1,3}(?:,\\d{3})+(?!\\d)(?:\\.\\d+)?|\\d+(?:\\.\\d+)?|\\.\\d+)(?!\\d)";
const COINS = { $: ["dollar", "cent"], "£": ["pound", "penny"], "€": ["euro", "cent"] };
const SCALE = { k: "thousand", m: "million", M: "million", bn: "billion", B: "billion" };
const SCALED = "(?:\\s?(k|m|M|bn|B|thousand|million|billion)\\b)?";
const UNITS = {
  km: "kilometer", m: "meter", cm: "centimeter", mm: "millimeter", kg: "kilogram", g: "gram", mi: "mile", lb: "pound",
  min: "minute", h: "hour", s: "second", GB: "gigabyte", MB: "megabyte", GHz: "gigahertz", Hz: "hertz", W: "watt",
  kW: "kilowatt", mph: "miles per hour", "km/h": "kilometers per hour", "°C": "degrees Celsius", "°F": "degrees Fahrenheit",
};
const UNIT = `(${Object.keys(UNITS).sort((a, b) => b.length - a.length).join("|")})`;
const TITLES = { Mr: "Mister", Mrs: "Missus", Ms: "Miz", Dr: "Doctor", Prof: "Professor", Gen: "General", St: "Saint" };
const ANYWHERE = { "e.g.": "for example", "i.e.": "that is", "vs.": "versus", "w/o": "without", "and/or": "and or", "Ph.D.": "PhD" };
const COUNTED = { No: "number", Fig: "figure", Vol: "volume", p: "page", pp: "pages" };
const RULERS = "Henry|Elizabeth|Charles|George|Louis|Edward|James|William|Richard|Mary|Philip|Francis|Frederick|Pius|John Paul|Benedict";
const ROMAN = { I: 1, V: 5, X: 10, L: 50, C: 100 };

/** 1234 -> "one thousand two hundred thirty-four". */
export function cardinal(n) {
  if (n < 20) return ONES[n];
  if (n < 100) return TENS[Math.floor(n / 10)] + (n % 10 ? `-${ONES[n % 10]}` : "");
  if (n < 1000) return `${ONES[Math.floor(n / 100)]} hundred${n % 100 ? ` ${cardinal(n % 100)}` : ""}`;
  const words = [];
  for (let i = 0; n > 0; i++, n = Math.floor(n / 1000)) if (n % 1000) words.unshift(cardinal(n % 1000) + SCALES[i]);
  return words.join(" ");
}

/** 21 -> "twenty-first". */
export function ordinal(n) {
  return cardinal(n).replace(/[a-z]+$/, (word) => IRREGULAR[word] ?? (word.endsWith("y") ? `${word.slice(0, -1)}ieth` : `${word}th`));
}

/** 1905 -> "nineteen oh five", 2005 -> "two thousand five". */
export function year(n) {
  if (n < 1000 || n % 1000 < 10) return cardinal(n);
  const [century, rest] = [cardinal(Math.floor(n / 100)), n % 100];
  return rest === 0 ? `${century} hundred` : `${century} ${rest < 10 ? "oh " : ""}${cardinal(rest)}`;
}

const digits = (text) => [...text].map((digit) => ONES[digit]).join(" ");

/** "1,234.5" -> "one thousand two hundred thirty-four point five"; a leading zero and more than 15 digits by their names. */
export function number(text) {
  const [whole, decimals] = text.replaceAll(",", "").split(".");
  const isNamed = whole.length > 15 || (whole.length > 1 && whole[0] === "0");
  const said = whole === "" ? [] : [isNamed ? digits(whole) : cardinal(Number(whole))];
  return [...said, ...(decimals ? ["point", digits(decimals)] : [])].join(" ");
}

function time(hour, minute, half) {
  const after = half ? ` ${half[0].toUpperCase()}M` : "";
  const hours = cardinal(Number(hour));
  if (minute === undefined || (minute === "00" && half)) return hours + after;
  if (minute === "00") return Number(hour) > 12 ? `${hours} hundred` : `${hours} o'clock`;
  return `${hours} ${Number(minute) < 10 ? "oh " : ""}${cardinal(Number(minute))}${after}`;
}

/** "5.50", "$" -> "five dollars and fifty cents"; with `scale` "five point five million dollars"; `isOne`: "dollar". */
function money(sign, amount, scale, isOne = false) {
  const [coin, part] = COINS[sign];
  const plural = (word, n) => (n === 1 || isOne ? word : word === "penny" ? "pence" : `${word}s`);
  if (scale) return `${number(amount)} ${SCALE[scale] ?? scale} ${plural(coin)}`;
  const [whole, cents] = amount.replaceAll(",", "").split(".");
  if (cents !== undefined && cents.length !== 2) return `${number(amount)} ${plural(coin)}`;
  const [n, c] = [Number(whole), Number(cents ?? 0)];
  const said = n > 0 || c === 0 ? [`${cardinal(n)} ${plural(coin, n)}`] : [];
  return [...said, ...(c > 0 ? [`${cardinal(c)} ${plural(part, c)}`] : [])].join(" and ");
}

function fraction(above, below) {
  const part = { 2: "half", 4: "quarter" }[below] ?? ordinal(below);
  return `${cardinal(above)} ${above === 1 ? part : part === "half" ? "halves" : `${part}s`}`;
}

/** "3/4" -> "three quarters", "24/7" -> "twenty-four seven". */
function slashed(above, below) {
  return above < below && below <= 10 ? fraction(above, below) : `${cardinal(above)} ${cardinal(below)}`;
}

function unit(count, name, isOne = false) {
  const word = UNITS[name];
  return `${number(count)}${isOne ? "-" : " "}${isOne || count === "1" || / |hertz$/.test(word) ? word : `${word}s`}`;
}

function roman(letters) {
  const values = [...letters].map((letter) => ROMAN[letter]);
  return values.reduce((sum, value, i) => sum + (value < (values[i + 1] ?? 0) ? -value : value), 0);
}

const month = (name) => MONTHS.find((each) => each.startsWith(name.slice(0, 3)));
const day = (name, number) => `${month(name)} ${ordinal(Number(number))}`;
const inYear = (number) => (number === undefined ? "" : `, ${year(Number(number))}`);
const grouped = (found) => found.match(/\+|\d+/g).map((part) => (part === "+" ? "plus" : digits(part))).join(", ").replace("plus,", "plus");
const lettered = (found) => found.replaceAll(".", " dot ");

/** Patterns and what is read for them; where two begin at the same place the first one counts. */
const RULES = [
  [/(?<![\w+])(?:\+\d{1,3}[ -]\(?\d{1,4}\)?[ -]|\(\d{3}\) |\d{3}-)?(?:\d{3}[ -])?\d{3}-\d{4}(?!\w)|(?<!\w)\+\d{1,3}(?: \d{2,4}){2,4}(?!\w)/, grouped],
  [/(?<![\w/@.])(?:[\w-]+\.)+(?:com|org|net|edu|io|co\.uk)\b/, lettered],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/, (found) => found.split(".").map(digits).join(" dot ")],
  [/\b\d+(?:\.\d+){2,}\b/, (found) => found.split(".").map(number).join(" point ")],
  [/\b(\d{4})-(\d\d)-(\d\d)\b/, (_, y, m, d) => day(MONTHS[m - 1], d) + inYear(y)],
  [/\b(1[0-2]|0?[1-9])\/(3[01]|[12]\d|0?[1-9])\/([12]\d{3})\b/, (_, m, d, y) => day(MONTHS[m - 1], d) + inYear(y)],
  [`\\b(${MONTH}) (\\d{1,2})(?:st|nd|rd|th)?(?:(?:-|–)(\\d{1,2}))?(?:, (\\d{4}))?(?!\\d)`, (_, m, d, end, y) => `${day(m, d)}${end ? ` to ${ordinal(Number(end))}` : ""}${inYear(y)}`],
  [`\\b(${MONTH}) ([12]\\d{3})\\b`, (_, m, y) => `${month(m)} ${year(Number(y))}`],
  [`\\b(\\d{1,2}) (${MONTH})(?: (\\d{4}))?(?!\\d)`, (_, d, m, y) => `the ${ordinal(Number(d))} of ${month(m)}${inYear(y)}`],
  [/\b([01]?\d|2[0-3]):([0-5]\d)(?:\s?([ap])(?:m\b|\.m\.(?=\s[a-z])|\.m(?=\.)))?/, (_, h, m, half) => time(h, m, half)],
  [/\b(1[0-2]|[1-9])\s?([ap])(?:m\b|\.m\.(?=\s[a-z])|\.m(?=\.))/, (_, h, half) => time(h, undefined, half)],
  [`([$£€])(${NUMBER})(?:-|–)\\1?(${NUMBER})${SCALED}`, (_, sign, from, to, scale) => `${/\./.test(from) ? money(sign, from) : number(from)} to ${money(sign, to, scale)}`],
  [`\\b([Aa]n?) ([$£€])(${NUMBER})${SCALED}(?= [a-z])`, (_, a, sign, n, scale) => `${a} ${money(sign, n, scale, true)}`],
  [`([$£€])(${NUMBER})(?=-a-)`, (_, sign, n) => money(sign, n, undefined, true)],
  [`([$£€])(${NUMBER})${SCALED}`, (_, sign, n, scale) => money(sign, n, scale)],
  [`(${NUMBER})(?:(k|m|M|bn|B)\\b)?\\s?([£€])`, (_, n, scale, sign) => money(sign, n, scale)],
  [`(${NUMBER})\\s?%`, (_, n) => `${number(n)} percent`],
  [`(${NUMBER})\\s?¢`, (_, n) => `${number(n)} ${n === "1" ? "cent" : "cents"}`],
  [/\b(\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b/, (_, n) => ordinal(Number(n.replaceAll(",", "")))],
  [/\b(\d{3})0s\b|['’](\d)0s\b/, (_, y, short) => `${y ? year(Number(`${y}0`)) : TENS[short]}s`.replace(/ys$/, "ies")],
  [/\b([12]\d{3})(?:-|–)([12]\d{3})\b/, (_, from, to) => `${year(Number(from))} to ${year(Number(to))}`],
  [/(?<=\b(?:[Ii]n|[Ss]ince|[Bb]y|[Uu]ntil|[Oo]f|[Ff]rom|[Yy]ear) )([12]\d{3})\b(?![.,]\d| [a-z]+s\b)/, (_, y) => year(Number(y))],
  [/\b(\d+) (\d)\/(\d{1,2})\b/, (_, n, above, below) => `${cardinal(Number(n))} and ${fraction(Number(above), Number(below)).replace(/^one /, "a ")}`],
  [/\b(\d+)([½¼¾])/, (_, n, part) => `${cardinal(Number(n))} and ${{ "½": "a half", "¼": "a quarter", "¾": "three quarters" }[part]}`],
  [/\b(\d{1,3})\/(\d{1,3})\b/, (_, above, below) => slashed(Number(above), Number(below))],
  [`(${NUMBER})-${UNIT}(?= )`, (_, n, name) => unit(n, name, true)],
  [`(${NUMBER})\\s?${UNIT}(?![\\w²³])(?:\\.(?=\\s[a-z]))?`, (_, n, name) => unit(n, name)],
  [/\b(\d+)x(\d+)\b/, (_, a, b) => `${number(a)} by ${number(b)}`],
  [/\b(\d+)x\b/, (_, n) => `${number(n)} times`],
  [/(?<=\d) - (?=\d)/, () => " minus "],
  [/(?<=\d)\s?\+\s?(?=\d)/, () => " plus "],
  [/(?<=\d)\s?=\s?(?=\d)/, () => " equals "],
  [/(?<=\d|\d[ap]m)\s?[–-]\s?(?=[$£€]?\d)/, () => " to "],
  [`(?<=^|[\\s(])[-−](?=${NUMBER})`, () => "minus "],
  [`(?<![\\w.])${NUMBER}(?!\\w|\\.\\w)`, (n) => number(n)],
  [/\b(?:Mr|Mrs|Ms|Dr|Prof|Gen|St)\.(?=\s+(?:[A-Z]|and\s+[A-Z]))/, (found) => TITLES[found.slice(0, -1)]],
  [/\b(No|Fig|Vol|pp?)\. (?=\d)/, (found, word) => `${(/[A-Z]/.test(word) ? COUNTED[word].replace(/^./, (letter) => letter.toUpperCase()) : COUNTED[word])} `],
  [/\b(?:e\.g\.|i\.e\.|vs\.|w\/o\b|and\/or\b|Ph\.D\.)/, (found) => ANYWHERE[found]],
  [/\betc\.(?=\s[a-z]|[,;)])/, () => "et cetera"],
  [/\betc\.(?=\s+[A-Z]|\s*$)/, () => "et cetera."],
  [/\bU\.S\.(?=\s[A-Z][a-z]+\s+[a-z]|\s[a-z]|\s[A-Z]\w+\.?$)/, () => "US"],
  [/\b(World War|Chapter|Part|Volume|Act|Book) ([IVX]+)\b(?!')/, (_, what, n) => `${what} ${cardinal(roman(n))}`],
  [`\\b(${RULERS}) ([IVX]{2,})\\b`, (_, who, n) => `${who} the ${ordinal(roman(n))}`],
  [/\bthe ([IVX]{2,}) (?=century)/, (_, n) => `the ${ordinal(roman(n))} `],
  [/#(?=\d)/, () => "number "],
  [/#(?=[A-Za-z])/, () => "hashtag "],
  [/(?<![\w.])@(?=\w)/, () => "at "],
  [/\s?&\s?/, () => " and "],
  [/(?<!\w)([*_]{1,2})(?=\w)|(?<=\w)([*_]{1,2})(?!\w)/, () => ""],
  [/\s*\p{Extended_Pictographic}\uFE0F?/u, () => ""],
  [/[“”]/, () => '"'],
  [/[‘’]/, () => "'"],
].map(([pattern, speak]) => [new RegExp(pattern, typeof pattern === "string" ? "g" : `${pattern.flags}g`), speak]);

/** Return `text` as it is read. */
export function read(text) {
  let said = "";
  let at = 0;
  while (at < text.length) {
    let best = null;
    for (const [pattern, speak] of RULES) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match !== null && (best === null || match.index < best.match.index)) best = { match, speak };
    }
    if (best === null) break;
    const { match, speak } = best;
    said += text.slice(at, match.index) + speak(...match);
    at = match.index + match[0].length;
  }
  return said + text.slice(at);
}
