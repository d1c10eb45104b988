//! Numbers that may be anything, to places that can exist.

use assay_model::Region;
use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// A line or column as a tool wrote it: anything but a number that can be one is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Number(pub Option<u32>);

// === impl Number ===

impl Number {
    /// Takes what a lookup found.
    pub(crate) fn of(number: Option<f64>) -> Self {
        let whole = number
            .filter(|number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        Self(whole.map(|number| number as u32))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl de::Visitor<'_> for Any {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(u32::try_from(number).ok()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Number, E> {
                Ok(Number(None))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number::of(Some(number)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.parse().ok()))
            }

            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Number, E> {
                Ok(Number(None))
            }
        }
        from.deserialize_any(Any)
    }
}

/// Makes a region of four numbers.
pub(crate) fn region(
    line: Number,
    column: Number,
    end_line: Number,
    end: Number,
) -> Option<Region> {
    Region::checked(line.0, column.0, end_line.0, end.0)
}
