// The handsets' page. All that is shown comes from /control/events and is set as text, never as markup.

const $ = (id) => document.getElementById(id);

/** What the carrier knows, as the stream tells it. */
const known = { accounts: [], handsets: [], messages: new Map(), webhooks: new Map(), faults: [] };
/** Whose handset is shown, which service number it texts with, and how much of each conversation was seen. */
const shown = { customer: null, service: null, seen: new Map(), elements: new Map() };

function element(tag, properties = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("data-") || name.startsWith("aria-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

async function call(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.text();
  let detail = problem;
  try {
    detail = JSON.parse(problem).detail;
  } catch {
    // Not a problem document; its text says what is wrong.
  }
  throw new Error(detail || `HTTP ${answer.status}`);
}

/** Runs what a person asked for; what is wrong is said beside it. */
async function attempt(place, action) {
  place.textContent = "";
  try {
    return await action();
  } catch (error) {
    place.textContent = error instanceof TypeError ? "The simulator cannot be reached." : error.message;
    return undefined;
  }
}

const isInbound = (message) => message.direction === "Inbound";
const customerOf = (message) => (isInbound(message) ? message.from : message.to);
const serviceOf = (message) => (isInbound(message) ? message.to : message.from);
const handset = () => known.handsets.find(({ number }) => number === shown.customer);
const services = () => known.accounts.flatMap(({ numbers }) => numbers).filter(({ smsCapable }) => smsCapable);
const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** What the line under a bubble says, and in which tone. */
function stateOf(message) {
  if (isInbound(message)) {
    return {
      None: ["wait", "the number has no webhook"],
      Waiting: ["wait", "on its way to the service"],
      Held: ["wait", "held back"],
      Delivered: ["good", "✓ taken by the service"],
      Undelivered: ["bad", "nobody took it"],
    }[message.webhook];
  }
  const reason = message.error ? `: ${message.error.detail}` : "";
  return {
    Accepted: ["wait", "accepted by the carrier"],
    Sent: ["wait", "sent"],
    Delivered: ["good", "✓ delivered"],
    Undelivered: ["bad", `undelivered${reason}`],
    Failed: ["bad", `failed${reason}`],
  }[message.status];
}

function showMessage(message) {
  if (customerOf(message) !== shown.customer || serviceOf(message) !== shown.service) return;
  const [tone, state] = stateOf(message);
  const list = $("messages");
  const isNew = !shown.elements.has(message.id);
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 80 || (isNew && isInbound(message));
  let item = shown.elements.get(message.id);
  if (!item) {
    const bubble = element("p", { className: "bubble", textContent: message.text });
    item = element("li", {}, [bubble, element("p", { className: "state" })]);
    item.className = `message ${isInbound(message) ? "out" : "in"}`;
    list.append(item);
    shown.elements.set(message.id, item);
    $("empty").hidden = true;
  }
  item.dataset.tone = tone;
  item.dataset.message = message.id;
  const line = `${time(message.at)} · ${state}`;
  if (item.lastChild.textContent !== line) item.lastChild.textContent = line;
  if (follows) list.scrollTop = list.scrollHeight;
}

function showConversation() {
  shown.elements.clear();
  $("messages").replaceChildren();
  $("empty").hidden = false;
  for (const message of known.messages.values()) showMessage(message);
  $("messages").scrollTop = $("messages").scrollHeight;
  markSeen();
}

function markSeen() {
  if (shown.customer) shown.seen.set(shown.customer, lastOf(shown.customer)?.id);
}

function lastOf(customer) {
  return [...known.messages.values()].findLast((message) => customerOf(message) === customer);
}

function showCustomers() {
  const items = known.handsets.map(({ number, name }) => {
    const last = lastOf(number);
    const isNew = last && number !== shown.customer && shown.seen.get(number) !== last.id;
    const parts = [
      element("span", { className: "face", textContent: (name || number.slice(-2)).slice(0, name ? 1 : 2), "aria-hidden": "true" }),
      element("span", { className: "name", textContent: name || number }),
      isNew ? element("span", { className: "new", title: "new message" }) : element("span"),
      element("span", { className: "last", textContent: last?.text ?? (name ? number : "no messages") }),
    ];
    const button = element("button", { type: "button", className: "customer" }, parts);
    button.setAttribute("aria-current", String(number === shown.customer));
    button.dataset.number = number;
    button.addEventListener("click", () => choose(number));
    return element("li", {}, [button]);
  });
  const focused = document.activeElement?.dataset?.number;
  $("customers").replaceChildren(...items);
  if (focused) $("customers").querySelector(`[data-number="${CSS.escape(focused)}"]`)?.focus();
}

function showHandset() {
  const current = handset();
  $("who").textContent = current ? [current.name, current.number].filter(Boolean).join(" · ") : "No customer yet";
  $("reachable").checked = current?.reachable ?? false;
  $("opted-out").checked = current?.optedOut ?? false;
  for (const id of ["reachable", "opted-out", "text", "service"]) $(id).disabled = !current;
  $("write").querySelector("button").disabled = !current || !shown.service;
}

function showServices() {
  const numbers = services().map(({ number }) => number);
  $("service").replaceChildren(...numbers.map((number) => element("option", { value: number, textContent: number })));
  if (!numbers.includes(shown.service)) shown.service = numbers[0] ?? null;
  $("service").value = shown.service ?? "";
}

function choose(number) {
  shown.customer = number;
  const last = lastOf(number);
  if (last && services().some(({ number }) => number === serviceOf(last))) shown.service = serviceOf(last);
  showServices();
  showHandset();
  showConversation();
  showCustomers();
}

function showWebhooks() {
  const lost = [...known.webhooks.values()].filter(({ state }) => state === "Undelivered" || state === "Held");
  $("webhooks-none").hidden = lost.length > 0;
  $("webhooks-count").hidden = lost.length === 0;
  $("webhooks-count").textContent = lost.length;
  const items = lost.slice(-20).reverse().map((webhook) => {
    const about = webhook.receipt ? `receipt ${webhook.receipt} to ${webhook.message.from}` : `text of ${webhook.message.from}`;
    const why = webhook.state === "Held" ? "held by a fault" : `${webhook.attempts} tries, ${webhook.lastAnswer ?? "no answer"}`;
    const what = element("div", { className: "what", textContent: about }, []);
    what.append(element("small", { textContent: `${webhook.url} · ${why}` }));
    const again = element("button", { type: "button", textContent: "Post again", disabled: webhook.state === "Held" });
    again.addEventListener("click", () => {
      again.disabled = true;
      call("POST", `/control/webhooks/${webhook.id}/redeliver`, {}).catch(() => {});
    });
    return element("li", {}, [what, again]);
  });
  $("webhooks").replaceChildren(...items);
}

const provider = {
  "answer 500": { Status: { status: 500 } },
  "answer 503": { Status: { status: 503, retryAfterSeconds: 1 } },
  "answer 429": { Status: { status: 429, retryAfterSeconds: 2 } },
  "take it, drop the answer": "DropAnswer",
  "cut the connection": "DropRequest",
  "5 s late": { Delay: { millis: 5000 } },
  "take it, answer 5 s late": { DelayAnswer: { millis: 5000 } },
  "refuse: credentials": { Refuse: { class: "Credentials" } },
};
const webhook = {
  "post it twice": { Duplicate: { copies: 1 } },
  "let the next one pass": "Reorder",
  "hold it back": "Hold",
  "lose it": "Lose",
  "lose the answer": "DropAnswer",
  "5 s late": { Delay: { millis: 5000 } },
  "sign it wrongly": "WrongSignature",
};
const actions = {
  Messages: { ...provider, "refuse: opted out": { Refuse: { class: "OptedOut" } }, "refuse: number": { Refuse: { class: "InvalidNumber" } } },
  Account: provider,
  Numbers: provider,
  Delivery: { "fail: blocked": { Refuse: { class: "Blocked" } }, "5 s late": { Delay: { millis: 5000 } } },
  Inbound: webhook,
  Receipts: webhook,
};

function showActions() {
  const names = Object.keys(actions[$("fault-route").value]);
  $("fault-action").replaceChildren(...names.map((name) => element("option", { value: name, textContent: name })));
}

function nameOf(action) {
  if (typeof action === "string") return action;
  const [[name, details]] = Object.entries(action);
  return `${name} ${Object.values(details).filter((value) => value !== null).join(", ")}`;
}

function showFaults() {
  const items = known.faults.map(({ id, route, action, count, struck }) => {
    const what = element("div", { className: "what", textContent: `${route}: ${nameOf(action)}` });
    what.append(element("small", { textContent: count ? `${struck} of ${count} times` : `${struck} times so far` }));
    const remove = element("button", { type: "button", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove ${route}: ${nameOf(action)}`);
    remove.addEventListener("click", () => call("DELETE", `/control/faults/${id}`).catch(() => {}));
    return element("li", {}, [what, remove]);
  });
  $("faults").replaceChildren(...items);
}

const ledger = { since: null, wanted: false, reading: false };

function lineOf(entry) {
  const { kind, message } = entry;
  const who = message ? `${message.from} → ${message.to}` : "";
  const bad = (entry.status ?? 0) >= 400 || entry.delivered === false || Boolean(entry.error) || (kind === "ApiRequest" && !entry.status);
  const said = {
    ApiRequest: () => `${entry.request} ${entry.status ?? "cut"} ${message?.clientRef ?? ""} ${entry.detail ?? ""}`,
    CustomerMessage: () => `customer ${who}`,
    MessageStatus: () => `${entry.status} ${who}`,
    WebhookTry: () => `webhook ${entry.receipt ?? "text"} try ${entry.attempt}: ${entry.status ?? entry.error}`,
    WebhookEnd: () => (entry.delivered ? null : `webhook given up, ${who}`),
    FaultAdded: () => `fault ${entry.fault.route}: ${nameOf(entry.fault.action)}`,
    FaultRemoved: () => "fault removed",
  }[kind]();
  return said && element("li", {}, [element("time", { textContent: time(entry.at) }), element("span", { textContent: said, className: bad ? "bad" : "" })]);
}

/** Reads what is new in the ledger; several wishes at once are one. */
async function readLedger() {
  ledger.wanted = true;
  if (ledger.reading) return;
  ledger.reading = true;
  while (ledger.wanted) {
    ledger.wanted = false;
    try {
      if (ledger.since === null) ledger.since = Math.max(0, (await call("GET", "/ledger?limit=1")).last - 100);
      const page = await call("GET", `/ledger?since=${ledger.since}`);
      ledger.since = page.next;
      ledger.wanted ||= page.more;
      $("ledger").prepend(...page.entries.map(lineOf).filter(Boolean).reverse());
      while ($("ledger").childElementCount > 100) $("ledger").lastElementChild.remove();
    } catch {
      // The stream says when the simulator is back.
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  ledger.reading = false;
}

/** News come in bursts; lists are drawn once for each. */
const due = new Set();
function soon(draw) {
  if (due.size === 0) requestAnimationFrame(() => { for (const one of [...due]) one(); due.clear(); });
  due.add(draw);
}

const news = {
  snapshot(all) {
    Object.assign(known, { accounts: all.accounts, handsets: all.handsets, faults: all.faults });
    known.messages = new Map(all.messages.map((message) => [message.id, message]));
    known.webhooks = new Map(all.webhooks.map((webhook) => [webhook.id, webhook]));
    ledger.since = null;
    $("ledger").replaceChildren();
    const customer = handset() ? shown.customer : known.handsets[0]?.number ?? null;
    choose(customer);
    showFaults();
    showWebhooks();
  },
  accounts(accounts) {
    known.accounts = accounts;
    showServices();
    showHandset();
  },
  handsets(handsets) {
    known.handsets = handsets;
    if (!handset()) choose(handsets[0]?.number ?? null);
    showHandset();
    soon(showCustomers);
  },
  faults(faults) {
    known.faults = faults;
    soon(showFaults);
  },
  message(message) {
    known.messages.set(message.id, message);
    showMessage(message);
    markSeen();
    soon(showCustomers);
  },
  webhook(webhook) {
    known.webhooks.set(webhook.id, webhook);
    soon(showWebhooks);
  },
};

function follow() {
  const stream = new EventSource("/control/events");
  const link = (state, text) => { $("link").dataset.state = state; $("link").textContent = text; };
  stream.addEventListener("open", () => link("open", "live"));
  stream.addEventListener("error", () => {
    link("waiting", "connecting");
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  });
  for (const [topic, take] of Object.entries(news)) {
    stream.addEventListener(topic, (event) => { take(JSON.parse(event.data)); readLedger(); });
  }
}

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

$("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value;
  const path = `/control/handsets/${encodeURIComponent(shown.customer)}/messages`;
  if (await attempt($("write-error"), () => call("POST", path, { to: shown.service, text }))) {
    $("text").value = "";
    grow();
  }
  $("text").focus();
});
$("text").addEventListener("input", grow);
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("write").requestSubmit();
});
$("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const number = $("add-number").value.replaceAll(/[\s().-]/g, "");
  const added = await attempt($("add-error"), () => call("PUT", `/control/handsets/${encodeURIComponent(number)}`, {}));
  if (!added) return;
  $("add-number").value = "";
  known.handsets = [...known.handsets.filter((other) => other.number !== added.number), added];
  choose(added.number);
  $("text").focus();
});
$("service").addEventListener("change", () => { shown.service = $("service").value; showConversation(); });
for (const [id, member] of [["reachable", "reachable"], ["opted-out", "optedOut"]]) {
  $(id).addEventListener("change", async () => {
    const path = `/control/handsets/${encodeURIComponent(shown.customer)}`;
    await attempt($("write-error"), () => call("PUT", path, { [member]: $(id).checked }));
    showHandset();
  });
}
$("fault-route").addEventListener("change", showActions);
$("fault").addEventListener("submit", (event) => {
  event.preventDefault();
  const route = $("fault-route").value;
  const fault = { route, action: actions[route][$("fault-action").value] };
  if ($("fault-count").value) fault.count = Number($("fault-count").value);
  attempt($("fault-error"), () => call("POST", "/control/faults", fault));
});

showActions();
showHandset();
follow();
