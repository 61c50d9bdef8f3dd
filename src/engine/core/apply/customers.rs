//! Customers opt out and in.

use crate::engine::core::{customer::Customer, event::CustomerEvent, ids::CustomerId, state::State};

pub(super) fn apply_to_customer(state: &mut State, event: &CustomerEvent) {
    match event {
        CustomerEvent::CustomerAdded { customer, can_receive } => {
            state.scalars.next_customer = state.scalars.next_customer.max(customer.next());
            state.customers.insert(*customer, Customer::new(*customer, *can_receive));
        }
        CustomerEvent::OptedOut { customer, .. } => {
            with_customer(state, *customer, |customer| customer.opted_out = true);
        }
        CustomerEvent::OptedIn { customer, .. } => {
            with_customer(state, *customer, |customer| customer.opted_out = false);
        }
    }
}

pub(super) fn with_customer(state: &mut State, id: CustomerId, change: impl FnOnce(&mut Customer)) {
    if let Some(customer) = state.customers.get_mut(&id) {
        change(customer);
    }
}
