//! Enums that are one word wherever they are shown, printed or stored.

/// Declares an enum whose variants are one word each: the word that JSON holds is the one that
/// `as_str` gives, and `Display` writes.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$of:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        $vis enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them, in their order.
            $vis const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word shown, printed and stored.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use words;

/// The word after this one; after the last of `all` the first.
#[must_use]
pub fn next_of<T: Copy + PartialEq>(all: &[T], this: T) -> T {
    all.iter().copied().cycle().skip_while(|one| *one != this).nth(1).unwrap_or(this)
}
