//! What opens doors at Meta: tokens, secrets, codes. None of them can be printed, and each is wiped
//! from memory when it is dropped.

use std::fmt;

use zeroize::Zeroizing;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes the text.
            #[must_use]
            pub fn new(text: impl Into<Zeroizing<String>>) -> Self {
                Self(text.into())
            }

            /// The text itself, for sealing it or sending it to Meta.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret!(
    /// A token by which Meta lets us act for a person, a Page or an Instagram account.
    AccessToken
);
secret!(
    /// The secret of one of our apps.
    AppSecret
);
secret!(
    /// What a login brings back: good once, for a token.
    LoginCode
);
