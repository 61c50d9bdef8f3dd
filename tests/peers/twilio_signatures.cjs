// Twilio's Node SDK on the cases of twilio_signatures.py: reads them from standard input, writes a list of verdicts.
// An application gets these that uses the SDK's own middleware function with Express' parsers for forms and JSON.
const { readFileSync } = require("node:fs");
const querystring = require("node:querystring");
const twilio = require("twilio");

const TOKENS = ["the token in force", "the token before it"];

function verdict(one) {
  const headers = Object.fromEntries(one.headers.map(([name, value]) => [name.toLowerCase(), value]));
  const signature = headers["x-twilio-signature"] ?? "";
  const url = one.publicUrl + "/hooks/inbound" + (one.query === null ? "" : "?" + one.query);
  const media = (headers["content-type"] ?? "").split(";")[0].trim().toLowerCase();
  const parsed = () => {
    if (media === "application/x-www-form-urlencoded") return { ...querystring.parse(one.body) };
    if (media === "application/json" && one.body) return JSON.parse(one.body);
    return {};
  };
  const request = {
    header: (name) => headers[name.toLowerCase()],
    headers: { host: new URL(one.publicUrl).host },
    protocol: new URL(one.publicUrl).protocol.slice(0, -1),
    originalUrl: url.replace(/^[a-z]+:\/\/[^/]+/i, ""),
    rawBody: one.body,
  };
  return TOKENS.some((token) => {
    try {
      request.body = parsed();
      return Boolean(signature) && twilio.validateIncomingRequest(request, token, { url });
    } catch {
      return false;
    }
  });
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(verdict)));
