//! Conditions: their types and reasons as closed sets, each with the sentence that becomes its documentation.

mod reason;
mod set;
mod types;

pub use reason::Reason;
pub use set::{ConditionStatus, Conditions, condition_list, condition_of};
pub use types::ConditionType;

/// Declares a closed enum of PascalCase names, with the documentation of each as data.
macro_rules! closed {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[doc = $doc:literal])+ $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// Every member, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as it stands in YAML.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }

            /// The documentation of this member, one paragraph.
            pub fn description(self) -> String {
                let lines: &[&str] = match self {
                    $(Self::$variant => &[$($doc,)+],)+
                };
                lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            /// Reads the name; `Err` for one that this version does not know.
            fn from_str(name: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|member| member.as_str() == name).ok_or(())
            }
        }
    };
}
use closed;
