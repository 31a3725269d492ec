//! Renders a Helm chart as `helm template` does, as far as our chart goes: what it does not know is an error.
//!
//! ```text
//! helm_template CHART FOLDER [--set-file KEY=FILE] [--set KEY=YAML]…
//! ```
//!
//! Each template is written to FOLDER under its name. Keys are paths with dots.
#![allow(
    clippy::indexing_slicing,
    reason = "of values that are made when they are missing"
)]

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use gtmpl::{Context, FuncError, Template, Value};
use serde_yaml_ng::Value as Yaml;
use sha2::{Digest as _, Sha256};

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let mut words = std::env::args().skip(1);
    let usage = "expected CHART FOLDER [--set-file KEY=FILE] [--set KEY=YAML]…";
    let chart = PathBuf::from(words.next().ok_or(usage)?);
    let folder = PathBuf::from(words.next().ok_or(usage)?);
    let mut values: Yaml =
        serde_yaml_ng::from_str(&fs::read_to_string(chart.join("values.yaml"))?)?;
    while let (Some(option), Some(pair)) = (words.next(), words.next()) {
        let (key, text) = pair.split_once('=').ok_or(usage)?;
        let value = match option.as_str() {
            "--set" => serde_yaml_ng::from_str(text)?,
            "--set-file" => Yaml::String(fs::read_to_string(text)?),
            _ => return Err(usage.into()),
        };
        *key.split('.').fold(&mut values, |at, part| &mut at[part]) = value;
    }
    let context = HashMap::from([("Values".to_owned(), of_yaml(&values)?)]);
    let context = Context::from(Value::Map(context));
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(chart.join("templates"))? {
        let path = entry?.path();
        let text = render(&fs::read_to_string(&path)?, &context);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        fs::write(folder.join(path.file_name().unwrap_or_default()), text)?;
    }
    Ok(())
}

fn render(text: &str, context: &Context) -> Result<String, Failed> {
    let mut template = Template::default();
    template.add_func("indent", indent);
    template.add_func("nindent", |words| {
        let Value::String(text) = indent(words)? else {
            return Err(wrong("nindent"));
        };
        Ok(Value::String(format!("\n{text}")))
    });
    template.add_func("quote", |words| match words {
        [Value::String(text)] => Ok(Value::String(format!("{text:?}"))),
        [other] => Ok(Value::String(format!("\"{other}\""))),
        _ => Err(wrong("quote")),
    });
    template.add_func("required", |words| match words {
        [Value::String(words), Value::String(text)] if text.is_empty() => {
            Err(FuncError::Generic(words.clone()))
        }
        [_, value @ Value::String(_)] => Ok(value.clone()),
        _ => Err(wrong("required")),
    });
    template.add_func("sha256sum", |words| match words {
        [Value::String(text)] => Ok(Value::String(hex::encode(Sha256::digest(text)))),
        _ => Err(wrong("sha256sum")),
    });
    template.add_func("toYaml", |words| match words {
        [value] => {
            let text = serde_yaml_ng::to_string(&to_yaml(value)?);
            let text = text.map_err(|error| FuncError::Generic(error.to_string()))?;
            Ok(Value::String(text.trim_end().to_owned()))
        }
        _ => Err(wrong("toYaml")),
    });
    template.parse(text)?;
    let text = template.render(context)?;
    if text.contains("<no value>") {
        return Err("a value is not there".into());
    }
    Ok(text)
}

fn indent(words: &[Value]) -> Result<Value, FuncError> {
    let [Value::Number(width), Value::String(text)] = words else {
        return Err(wrong("indent"));
    };
    let width = width.as_u64().and_then(|width| usize::try_from(width).ok());
    let spaces = " ".repeat(width.ok_or_else(|| wrong("indent"))?);
    let lines: Vec<_> = text.lines().map(|line| format!("{spaces}{line}")).collect();
    Ok(Value::String(lines.join("\n")))
}

fn wrong(name: &str) -> FuncError {
    FuncError::Generic(format!("{name} has other arguments"))
}

fn of_yaml(yaml: &Yaml) -> Result<Value, Failed> {
    Ok(match yaml {
        Yaml::Null => Value::Nil,
        Yaml::Bool(value) => Value::Bool(*value),
        Yaml::Number(number) => number
            .as_i64()
            .map(Value::from)
            .ok_or("a number is no integer")?,
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Sequence(list) => Value::Array(list.iter().map(of_yaml).collect::<Result<_, _>>()?),
        Yaml::Mapping(map) => {
            let pair = |(key, value): (&Yaml, &Yaml)| -> Result<_, Failed> {
                Ok((
                    key.as_str().ok_or("a key is no text")?.to_owned(),
                    of_yaml(value)?,
                ))
            };
            Value::Map(map.iter().map(pair).collect::<Result<_, _>>()?)
        }
        Yaml::Tagged(_) => return Err("a value has a tag".into()),
    })
}

fn to_yaml(value: &Value) -> Result<Yaml, FuncError> {
    Ok(match value {
        Value::Nil => Yaml::Null,
        Value::Bool(value) => Yaml::Bool(*value),
        Value::Number(number) => Yaml::from(number.as_i64().ok_or_else(|| wrong("toYaml"))?),
        Value::String(text) => Yaml::String(text.clone()),
        Value::Array(list) => Yaml::Sequence(list.iter().map(to_yaml).collect::<Result<_, _>>()?),
        Value::Map(map) | Value::Object(map) => {
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            let pair =
                |(key, value): (&String, &Value)| Ok((Yaml::String(key.clone()), to_yaml(value)?));
            Yaml::Mapping(
                sorted
                    .into_iter()
                    .map(pair)
                    .collect::<Result<_, FuncError>>()?,
            )
        }
        Value::Function(_) | Value::NoValue => return Err(wrong("toYaml")),
    })
}
