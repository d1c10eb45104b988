//! What a run says about its rules, ready to be asked by id or index.

use super::{
    collector::cleaned,
    cwe::cwe_of_field,
    sarif_parts::{Component, Message, ReportingDescriptor, RuleRef, SarifTool},
};
use std::collections::{BTreeMap, HashMap};

/// One rule, as far as results need it.
#[derive(Debug, Default)]
pub(super) struct Rule {
    pub id: String,
    pub level: Option<String>,
    pub security_severity: Option<f32>,
    pub word: Option<String>,
    pub confidence: Option<String>,
    pub cwe: Vec<u32>,
    pub help: Option<String>,
    /// Said where a result says nothing.
    pub description: Option<String>,
    messages: BTreeMap<String, String>,
}

/// The rules of the driver, then those of its extensions.
#[derive(Debug, Default)]
pub(super) struct Rules {
    components: Vec<Vec<Rule>>,
    /// Id to component and index; the first of a name counts.
    by_id: HashMap<String, (usize, usize)>,
    names: Vec<String>,
    global: BTreeMap<String, String>,
}

// === impl Rules ===

impl Rules {
    pub(super) fn of(tool: SarifTool) -> Self {
        let mut rules = Self::default();
        for component in tool.driver.into_iter().chain(tool.extensions) {
            rules.add(component);
        }
        rules
    }

    fn add(&mut self, component: Component) {
        let place = self.components.len();
        let made: Vec<Rule> = component.rules.into_iter().map(Rule::of).collect();
        for (index, rule) in made.iter().enumerate() {
            if !self.by_id.contains_key(&rule.id) {
                self.by_id.insert(rule.id.clone(), (place, index));
            }
        }
        let strings = component.global_message_strings.into_iter();
        self.global.extend(strings.filter_map(|(id, message)| Some((id, message.text?))));
        self.components.push(made);
        self.names.push(component.name.unwrap_or_default());
    }

    /// Returns the rule of a result: by its reference, its index, its id, or the id's beginning
    /// (`CA1000/1` belongs to `CA1000`).
    pub(super) fn find(
        &self,
        id: Option<&str>,
        index: Option<i64>,
        reference: Option<&RuleRef<'_>>,
    ) -> Option<&Rule> {
        let component = reference.and_then(|rule| rule.tool_component.as_ref());
        let component = component.and_then(|component| match (component.index, &component.name) {
            (Some(index), _) => usize::try_from(index).ok().map(|index| index + 1),
            (None, Some(name)) => self.names.iter().position(|known| known == name),
            (None, None) => None,
        });
        let index = reference.and_then(|rule| rule.index).or(index);
        let rules = self.components.get(component.unwrap_or(0));
        let by_index = index.and_then(|index| rules?.get(usize::try_from(index).ok()?));
        let id = id.or_else(|| reference?.id.as_deref());
        // An index that leads to another rule than the id names is a fault of the tool: the id is
        // what people see.
        let fits = |rule: &&Rule| id.is_none_or(|id| id == rule.id || id.starts_with(&rule.id));
        by_index.filter(fits).or_else(|| {
            let id = id?;
            let known = self.by_id.get(id).or_else(|| self.by_id.get(id.rsplit_once('/')?.0));
            known.map(|(component, index)| &self.components[*component][*index])
        })
    }

    /// Returns what a message says, its arguments put in.
    pub(super) fn text(&self, message: &Message<'_>, rule: Option<&Rule>) -> String {
        let own = message.text.as_deref().filter(|text| !text.trim().is_empty());
        let by_id = || {
            let id = message.id.as_deref()?;
            let of_rule = rule.and_then(|rule| rule.messages.get(id));
            of_rule.or_else(|| self.global.get(id)).map(String::as_str)
        };
        let described = || rule.and_then(|rule| rule.description.as_deref());
        let text = own.or_else(by_id).or(message.markdown.as_deref()).or_else(described);
        fill_in(text.unwrap_or_default(), &message.arguments)
    }
}

// === impl Rule ===

impl Rule {
    fn of(rule: ReportingDescriptor) -> Self {
        let mut cwe = Vec::new();
        let properties = rule.properties.unwrap_or_default();
        properties.cwe(&mut cwe);
        for target in rule.relationships.into_iter().map(|relation| relation.target) {
            let of = target.tool_component.and_then(|component| component.name);
            cwe.extend(taxon(target.id.as_deref(), of.as_deref()));
        }
        let text = |message: Option<super::sarif_parts::OwnedMessage>| message.and_then(|m| m.text);
        let messages = rule.message_strings.into_iter();
        Self {
            level: rule.default_configuration.and_then(|configuration| configuration.level),
            security_severity: properties.number(),
            word: properties.word().map(str::to_owned),
            confidence: properties.confidence().map(str::to_owned),
            cwe,
            help: rule.help_uri,
            description: text(rule.short_description)
                .or(text(rule.full_description))
                .map(|text| cleaned(&text, 1_000)),
            messages: messages.filter_map(|(id, message)| Some((id, message.text?))).collect(),
            id: rule.id,
        }
    }
}

/// Returns the CWE of an entry of a taxonomy: `79` counts only if the taxonomy is CWE.
pub(super) fn taxon(id: Option<&str>, taxonomy: Option<&str>) -> Option<u32> {
    let id = id?;
    match taxonomy {
        Some(name) if name.eq_ignore_ascii_case("cwe") => cwe_of_field(id),
        _ => super::cwe::cwe_in(id),
    }
}

/// Puts arguments in place of `{0}`; without arguments the text is left as it is.
fn fill_in(text: &str, arguments: &[String]) -> String {
    if arguments.is_empty() {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let inside = rest.split_once('}').filter(|_| brace == "{");
        let argument = inside.and_then(|(number, after)| {
            Some((arguments.get(number.parse::<usize>().ok()?)?, after))
        });
        match argument {
            Some((argument, after)) => {
                out.push_str(argument);
                rest = after;
            }
            None => out.push_str(brace),
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_where_their_numbers_are() {
        let arguments = ["x".to_owned(), "{0}".to_owned()];
        assert_eq!(fill_in("{0} and {1}, {{0}}, {7}, {", &arguments), "x and {0}, {0}, {7}, {");
        assert_eq!(fill_in("{0}", &[]), "{0}");
    }
}
