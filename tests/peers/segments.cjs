// What Twilio's sms-segments-calculator says of texts: reads a JSON list of them from standard input, writes what segments.py does.
// A verdict has the text's "clusters" too, which it never cuts.
const { readFileSync } = require("node:fs");
const { SegmentedMessage } = require("sms-segments-calculator");

function verdict(text) {
  const message = new SegmentedMessage(text);
  const isGsm = message.getEncodingName() === "GSM-7";
  return {
    encoding: isGsm ? "Gsm7" : "Ucs2",
    units: message.messageSize / (isGsm ? 7 : 16),
    parts: message.segments.map((segment) => Array.from(segment, (one) => one.raw ?? "").join("")),
    clusters: message.graphemes,
  };
}

// What it writes with septets is one UTF-16 code unit.
function alphabet() {
  const found = [];
  for (let code = 0; code <= 0xffff; code++) {
    const isSurrogate = code >= 0xd800 && code <= 0xdfff;
    const message = isSurrogate ? null : new SegmentedMessage(String.fromCharCode(code));
    if (message?.getEncodingName() === "GSM-7") found.push([code, message.encodedChars[0].codeUnits, null]);
  }
  return found;
}

const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify({ "sms-segments-calculator": { alphabet: alphabet(), verdicts: texts.map(verdict) } }));
