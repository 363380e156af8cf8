//! From a policy's type to the functions that the host calls: [`export_policy!`](crate::export_policy) and
//! what its expansion needs.

/// Exports a policy from its crate: `export_policy!(MyPolicy: Allowlist, Filter);`. Once in each crate, with
/// every interface that the component is to have, each by the name of its trait.
#[macro_export]
macro_rules! export_policy {
    ($policy:ty: $($interface:ident),+ $(,)?) => {
        const _: () = {
            // For native builds, too, so that `cargo check` tells what is missing.
            const fn implements<P: $($crate::$interface +)+>() {}
            implements::<$policy>();

            #[cfg(target_arch = "wasm32")]
            const _: () = {
                ::std::thread_local! {
                    static CURRENT: $crate::export::Slot<$policy> = const { $crate::export::Slot::new(None) };
                }

                impl $crate::export::Exported for $policy {
                    fn slot<R>(use_it: impl FnOnce(&$crate::export::Slot<Self>) -> R) -> R {
                        CURRENT.with(use_it)
                    }
                }

                type Guest = $crate::export::Guest<$policy>;
                $crate::export_interface!(Policy);
                $($crate::export_interface!($interface);)+
            };
        };
    };
}

/// The wit-bindgen macro behind each trait.
#[doc(hidden)]
#[macro_export]
macro_rules! export_interface {
    (Policy) => {
        $crate::bindings::policy::export_policy!(Guest with_types_in $crate::bindings::policy);
    };
    (Allowlist) => {
        $crate::bindings::allowlist::export_allowlist!(Guest with_types_in $crate::bindings::allowlist);
    };
    (Pairing) => {
        $crate::bindings::pairing::export_pairing!(Guest with_types_in $crate::bindings::pairing);
    };
    (Group) => {
        $crate::bindings::group::export_group!(Guest with_types_in $crate::bindings::group);
    };
    (Filter) => {
        $crate::bindings::filter::export_filter!(Guest with_types_in $crate::bindings::filter);
    };
    (Chunking) => {
        $crate::bindings::chunking::export_chunking!(Guest with_types_in $crate::bindings::chunking);
    };
}

#[cfg(target_arch = "wasm32")]
pub use guest::{Exported, Guest, Slot};

#[cfg(target_arch = "wasm32")]
mod guest {
    use std::cell::RefCell;
    use std::marker::PhantomData;

    use crate::bindings::{allowlist, chunking, filter, group, pairing, policy};
    use crate::*;

    /// The one configured policy of an instance. The host calls on one thread, and no call enters another.
    pub type Slot<P> = RefCell<Option<P>>;

    /// A policy with the slot that its crate keeps for it.
    pub trait Exported: Policy {
        fn slot<R>(use_it: impl FnOnce(&Slot<Self>) -> R) -> R;
    }

    /// Answers the host's calls with the policy in the slot.
    pub struct Guest<P>(PhantomData<P>);

    impl<P: Exported> policy::exports::imsgd::policy::policy::Guest for Guest<P> {
        fn configure(config: String) -> Result<(), String> {
            // A panic aborts, and the trap that the host sees has no words.
            std::panic::set_hook(Box::new(|panic| host::log(host::Level::Error, &panic.to_string())));
            let configured = P::configure(parse_config(&config)?)?;
            P::slot(|slot| slot.replace(Some(configured)));
            Ok(())
        }
    }

    fn configured<P: Exported, R>(ask: impl FnOnce(&P) -> R) -> R {
        P::slot(|slot| match &*slot.borrow() {
            Some(policy) => ask(policy),
            None => panic!("called before `configure`"),
        })
    }

    impl<P: Exported + Allowlist> allowlist::exports::imsgd::policy::allowlist::Guest for Guest<P> {
        fn admit(message: &Message) -> Admission {
            configured::<P, _>(|policy| policy.admit(message))
        }
    }

    impl<P: Exported + Pairing> pairing::exports::imsgd::policy::pairing::Guest for Guest<P> {
        fn screen(message: &Message) -> Outcome {
            configured::<P, _>(|policy| policy.screen(message))
        }

        fn pending() -> Vec<Request> {
            configured::<P, _>(P::pending)
        }

        fn approve(code: String) -> Result<String, Refusal> {
            configured::<P, _>(|policy| policy.approve(&code))
        }

        fn deny(code: String) -> Result<String, Refusal> {
            configured::<P, _>(|policy| policy.deny(&code))
        }

        fn paired() -> Vec<String> {
            configured::<P, _>(P::paired)
        }

        fn unpair(address: String) -> bool {
            configured::<P, _>(|policy| policy.unpair(&address))
        }
    }

    impl<P: Exported + Group> group::exports::imsgd::policy::group::Guest for Guest<P> {
        fn decide(message: &Message) -> Decision {
            configured::<P, _>(|policy| policy.decide(message))
        }
    }

    impl<P: Exported + Filter> filter::exports::imsgd::policy::filter::Guest for Guest<P> {
        fn filter(message: &Message) -> Verdict {
            configured::<P, _>(|policy| policy.filter(message))
        }
    }

    impl<P: Exported + Chunking> chunking::exports::imsgd::policy::chunking::Guest for Guest<P> {
        fn split(draft: Draft) -> Vec<String> {
            configured::<P, _>(|policy| policy.split(&draft))
        }
    }
}
