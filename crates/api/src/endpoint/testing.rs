//! Requests that differ in one field, for the tests of each endpoint.

use serde_json::{Map, Value, json};

use crate::error::{ApiError, Code};

/// A parser of one endpoint, and a body it takes.
pub(super) struct Subject<T> {
    pub(super) parse: fn(&[u8]) -> Result<T, ApiError>,
    pub(super) base: Value,
}

impl<T: std::fmt::Debug> Subject<T> {
    /// Parses the base with some fields replaced.
    pub(super) fn with(&self, changes: Value) -> Result<T, ApiError> {
        let mut body = self.base.clone();
        let fields: Map<String, Value> = serde_json::from_value(changes).unwrap();
        body.as_object_mut().unwrap().extend(fields);
        (self.parse)(body.to_string().as_bytes())
    }

    /// Requires each change to be accepted.
    pub(super) fn accepts(&self, cases: impl IntoIterator<Item = Value>) {
        for changes in cases {
            if let Err(error) = self.with(changes.clone()) {
                panic!("{changes} was refused: {error}");
            }
        }
    }

    /// Requires each change to be refused with the code and the path.
    pub(super) fn refuses(&self, cases: impl IntoIterator<Item = (Value, Code, &'static str)>) {
        for (changes, code, param) in cases {
            let error = self.with(changes.clone()).expect_err(&changes.to_string());
            let got = (error.code, error.param.as_deref().unwrap_or("-"));
            assert_eq!(got, (code, param), "{changes}: {error}");
        }
    }

    /// Requires each field of the base to be required.
    pub(super) fn requires(&self, names: &[&'static str]) {
        for name in names {
            let changes = json!({ *name: null });
            self.refuses([(changes, Code::MissingField, *name)]);
        }
    }
}
