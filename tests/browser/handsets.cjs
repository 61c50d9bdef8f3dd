// Uses the simulator's page in Chromium as a person would.
//
//   node handsets.cjs URL [SCREENSHOT]
//
// Mia writes; a service (the caller of this script) answers her with "At the desk." and loses her second message once. It ends with
// status 0 when the page showed all of it, and made no errors and no requests to anywhere else.
const { chromium } = require("playwright-core");
const assert = require("node:assert/strict");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

async function main([url, screenshot]) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
  const page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
  page.setDefaultTimeout(60_000);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error}`));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("request", (request) => request.url().startsWith(url) || wrong.push(`request to ${request.url()}`));

  await page.goto(url);
  await page.getByRole("status").filter({ hasText: "live" }).waitFor();
  const messages = page.getByRole("log", { name: "Messages" });
  const bubble = (text) => messages.getByRole("listitem").filter({ hasText: text });

  // A new customer, written as people write numbers; a wrong one is refused with what to do.
  await page.getByLabel("Add a customer").fill("5559870001");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "has no country code" }).waitFor();
  await page.getByLabel("Add a customer").fill("+1 (555) 987-0001");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("heading", { name: "+15559870001" }).waitFor();

  // She writes, by keyboard alone, and sees that it was taken; text is text, never markup.
  const text = "Where is my <b>parcel</b>? 📦";
  await page.getByLabel("Your message").fill(text);
  await page.keyboard.press("Enter");
  await bubble(text).filter({ hasText: "✓ taken by the service" }).waitFor();
  assert.equal(await page.getByLabel("Your message").inputValue(), "");

  // The answer arrives by itself, with its delivery state.
  await bubble("At the desk.").filter({ hasText: "✓ delivered" }).waitFor();

  // The ledger names what the carrier saw.
  await page.getByRole("list", { name: "What the carrier saw" }).getByText("POST /v1/messages 201").first().waitFor();

  // A webhook that nobody takes is shown, and is posted again by hand.
  await page.getByLabel("Your message").fill("Are you there?");
  await page.getByRole("button", { name: "Send" }).click();
  await bubble("Are you there?").filter({ hasText: "nobody took it" }).waitFor();
  await page.getByRole("button", { name: "Post again" }).click();
  await bubble("Are you there?").filter({ hasText: "✓ taken by the service" }).waitFor();
  await page.getByText("All were taken.").waitFor();

  // Trouble is made and taken back.
  await page.getByLabel(/^Where/).selectOption("Receipts");
  await page.locator("#fault-action").selectOption("hold it back");
  await page.getByRole("button", { name: "Make it so" }).click();
  const remove = page.getByRole("button", { name: "Remove Receipts: Hold" });
  await remove.click();
  await remove.waitFor({ state: "detached" });

  if (screenshot) await page.screenshot({ path: screenshot });

  // On a phone nothing is wider than the screen.
  await page.setViewportSize({ width: 360, height: 740 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "wider than a phone");
  assert.ok(await bubble("At the desk.").isVisible());

  // A page that is opened later shows the same.
  await page.reload();
  await bubble("At the desk.").filter({ hasText: "✓ delivered" }).waitFor();
  await browser.close();
  // The one refused request above is reported by Chromium itself.
  assert.deepEqual(wrong.filter((line) => !line.includes("status of 400")), []);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
