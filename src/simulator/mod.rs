//! A carrier to try things with: handsets on a page, a provider's HTTP API, faults on demand.
