//! The list of models.

use super::*;

#[test]
fn a_list_holds_what_each_model_shows_alone() {
    let model = Model {
        id: "demo".to_owned(),
        created: 7,
        owned_by: "subrosa".to_owned(),
    };
    let one: Value = serde_json::from_slice(&model.body()).unwrap();
    let expected = json!({"id": "demo", "object": "model", "created": 7, "owned_by": "subrosa"});
    assert_eq!(one, expected);
    let list: Value = serde_json::from_slice(&list_body(&[model])).unwrap();
    assert_eq!(list, json!({"object": "list", "data": [one]}));
}
