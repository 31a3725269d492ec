//! OpenAI `GET /v1/models` and `GET /v1/models/{model}`.

use serde_json::{Value, json};

/// A model that is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Model {
    /// Its name.
    pub id: String,
    /// When the service began to serve it, in Unix seconds.
    pub created: u64,
    /// Who runs it.
    pub owned_by: String,
}

impl Model {
    /// The answer about this model.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.value().to_string().into_bytes()
    }

    fn value(&self) -> Value {
        json!({
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.owned_by,
        })
    }
}

/// The answer about all models.
#[must_use]
pub fn list_body(models: &[Model]) -> Vec<u8> {
    let data: Vec<Value> = models.iter().map(Model::value).collect();
    json!({"object": "list", "data": data})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests;
