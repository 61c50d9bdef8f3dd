//! Ports and paths that are the same in every pod.

/// Engine: agents' HTTP. Gateway: the provider's webhooks.
pub const PUBLIC: u16 = 8080;
/// Engine and gateway: the other roles.
pub const ROLES: u16 = 8081;
/// Every role: `/livez`, `/readyz`, `/metrics`.
pub const ADMIN: u16 = 9090;
/// The simulator's page and provider API.
pub const SIMULATOR: u16 = 8090;

/// Gateway to engine: one inbound message.
pub const INBOUND_PATH: &str = "/internal/inbound";
/// Gateway to engine: one delivery receipt.
pub const RECEIPTS_PATH: &str = "/internal/receipts";
/// Engine to gateway: one attempt to send.
pub const MESSAGES_PATH: &str = "/internal/messages";
/// Operator to engine and gateway.
pub const STATUS_PATH: &str = "/internal/status";
/// Provider to gateway: inbound messages, below the connector's public URL.
pub const HOOK_INBOUND_PATH: &str = "/hooks/inbound";
/// Provider to gateway: delivery receipts; the query carries the receipt token as `t`.
pub const HOOK_STATUS_PATH: &str = "/hooks/status";

/// Where the projected configuration volume is mounted in gateway and engine.
pub const CONFIG_DIR: &str = "/etc/aldis/config";
/// Where a gateway's credentials are mounted, one file per key.
pub const CREDENTIALS_DIR: &str = "/etc/aldis/credentials";
/// Where the projected ServiceAccount token is mounted, audience `aldis:<namespace>`.
pub const TOKEN_FILE: &str = "/var/run/aldis/token/token";
/// Where the engine's store or the gateway's spool lies.
pub const DATA_DIR: &str = "/var/lib/aldis";
