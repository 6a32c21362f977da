//! The least values that move what a chart renders to what is planned.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::difference::{FieldDifference, at, differences};
use super::keys::{Key, KeyKind, keys};
use super::marks::{Mark, Site, is_disabled, marked, marks};
use super::objects::{
    Id, Objects, aligned, by_id, id, mounts_without_volume, names, volatile, with_volatile,
};
use super::values::{get, set};
use crate::model::chart::ChartPart;

/// The most renderings of one search.
const MAX_RENDERINGS: usize = 150;

/// How often what is left is looked at again: a value may bring fields that another takes away.
const MAX_ROUNDS: usize = 3;

/// An object as the chart renders it, and as it is planned.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedObject {
    pub before: Value,
    pub after: Value,
}

/// Why there is no rendering.
#[derive(Debug)]
pub enum RenderFailure<E> {
    /// The chart does not take these values: its schema or a template refuses them.
    Refused(E),
    /// There will be no other rendering either.
    Stopped(E),
}

/// Renders a chart with values over those in force.
pub type Renderer<'r, E> = dyn FnMut(&Value) -> Result<Vec<Value>, RenderFailure<E>> + 'r;

/// A key that is set, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueSet {
    pub path: Vec<String>,
    /// Null takes away what the chart has there.
    pub value: Value,
    /// The fields that it reaches, each of a planned object by its number.
    pub fields: Vec<(usize, Vec<String>)>,
}

/// What is searched in.
pub struct ChartSearch<'c> {
    pub parts: &'c [ChartPart],
    /// The values that are in force: the chart's, with the user's over them.
    pub values: &'c Value,
    pub planned: &'c [PlannedObject],
    /// Whether a list may be repeated in what is printed: what its items hold is the user's own.
    pub may_repeat: &'c dyn Fn(&[String]) -> bool,
}

/// What values alone can do.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundValues {
    pub set: Vec<ValueSet>,
    /// All of it as one map.
    pub overrides: Value,
    /// Each planned object as it is rendered with them, and as it is planned.
    pub objects: Vec<PlannedObject>,
    /// How many fields are planned, and how many of them the values do not reach.
    pub wanted: usize,
    pub missing: usize,
    /// The planned objects, by their numbers, whose names are made up at each rendering, and what
    /// each name begins and ends with. No value is searched for them.
    pub renamed: BTreeMap<usize, (String, String)>,
    pub renderings: usize,
}

/// Searches the values. Renders the chart with values of its choice over those in force.
///
/// # Errors
/// The chart cannot be rendered as it is, or the renderer stopped.
pub fn search<E>(chart: &ChartSearch<'_>, render: &mut Renderer<'_, E>) -> Result<FoundValues, E> {
    let mut run = Run::start(chart, render)?;
    let sites = run.sites()?;
    let mut accepted = Accepted::default();
    for _ in 0..MAX_ROUNDS {
        let before = run.left.len();
        let groups = run.groups(&sites, &accepted);
        if groups.is_empty() {
            break;
        }
        run.take(groups, &mut accepted)?;
        if run.left.len() == before {
            break;
        }
    }
    run.prune(&mut accepted)?;
    Ok(run.finished(accepted))
}

/// Whether the name of an object is another one in each rendering.
fn is_renamed(volatile: &BTreeMap<Id, Vec<Vec<String>>>, id: &Id) -> bool {
    volatile.get(id).is_some_and(|places| places.iter().any(Vec::is_empty))
}

fn kind_of(id: &Id) -> (&str, &str) {
    (&id.0, &id.1)
}

/// A field of an object.
type Field = (Id, Vec<String>);

/// A key, what it is set to, and the fields that become right by it.
type Setting = (Vec<String>, Value, BTreeSet<Field>);

/// Values that belong together, since one mark showed them.
#[derive(Debug, Clone)]
struct Group {
    values: Vec<Setting>,
    /// The whole of a map: a template may have fields of its own only where it is given none.
    whole: Vec<Setting>,
    order: (bool, usize, bool, usize),
}

/// The values that were found good.
#[derive(Debug, Clone, Default)]
struct Accepted(BTreeMap<Vec<String>, (Value, BTreeSet<Field>)>);

impl Accepted {
    fn overrides(&self) -> Value {
        let mut overrides = json!({});
        for (path, (value, _)) in &self.0 {
            set(&mut overrides, path, value.clone());
        }
        overrides
    }

    fn with(&self, group: &Group) -> Accepted {
        let mut all = self.clone();
        for (path, value, fields) in &group.values {
            all.0.insert(path.clone(), (value.clone(), fields.clone()));
        }
        all
    }
}

struct Run<'c, 'r, E> {
    chart: &'c ChartSearch<'c>,
    render: &'r mut Renderer<'r, E>,
    renderings: usize,
    base: Objects,
    /// What each object of the chart is to be.
    targets: Objects,
    volatile: BTreeMap<Id, Vec<Vec<String>>>,
    /// What the names that are made up each time begin and end with.
    names: BTreeMap<Id, (String, String)>,
    /// With the values that are accepted.
    now: Objects,
    left: Vec<(Id, FieldDifference)>,
    wanted: usize,
}

impl<'c, 'r, E> Run<'c, 'r, E> {
    fn start(chart: &'c ChartSearch<'c>, render: &'r mut Renderer<'r, E>) -> Result<Self, E> {
        let mut plain = || match render(&json!({})) {
            Ok(objects) => Ok(by_id(objects)),
            Err(RenderFailure::Refused(error) | RenderFailure::Stopped(error)) => Err(error),
        };
        let (base, again) = (plain()?, plain()?);
        let volatile = volatile(&base, &again);
        let planned = chart.planned.iter().map(|one| one.before.clone()).collect();
        let names = names(&by_id(planned), &base);
        let mut targets = base.clone();
        for one in chart.planned {
            let id = id(&one.before);
            let Some(object) = base.get(&id).filter(|_| !is_renamed(&volatile, &id)) else {
                continue;
            };
            let places = volatile.get(&id).map(Vec::as_slice).unwrap_or_default();
            targets.insert(id, with_volatile(&one.after, object, places));
        }
        let mut run = Run {
            chart,
            render,
            renderings: 2,
            now: base.clone(),
            base,
            targets,
            volatile,
            names,
            left: Vec::new(),
            wanted: 0,
        };
        run.left = run.differing(&run.base).unwrap_or_default();
        run.wanted = run.left.len();
        Ok(run)
    }

    /// `None`: the chart does not take these values, or it has been rendered often enough.
    fn rendered(&mut self, overrides: &Value) -> Result<Option<Objects>, E> {
        if self.renderings >= MAX_RENDERINGS {
            return Ok(None);
        }
        self.renderings += 1;
        match (self.render)(overrides) {
            Ok(objects) => Ok(Some(by_id(objects))),
            Err(RenderFailure::Refused(_)) => Ok(None),
            Err(RenderFailure::Stopped(error)) => Err(error),
        }
    }

    /// What of the planned objects is not yet as it is planned; `None`, if another object changed.
    fn differing(&self, objects: &Objects) -> Option<Vec<(Id, FieldDifference)>> {
        let is_whole = |id: &Id| is_renamed(&self.volatile, id);
        // One whose name is made up each time has another one now.
        let renamed: BTreeSet<(&str, &str)> =
            self.volatile.keys().filter(|id| is_whole(id)).map(kind_of).collect();
        let is_known = |id: &Id| self.targets.contains_key(id) || renamed.contains(&kind_of(id));
        if !objects.keys().all(is_known) {
            return None;
        }
        let planned: BTreeSet<Id> = self.chart.planned.iter().map(|one| id(&one.before)).collect();
        let mut left = Vec::new();
        for (id, target) in self.targets.iter().filter(|(id, _)| !is_whole(id)) {
            let object = objects.get(id)?;
            let places = self.volatile.get(id).map(Vec::as_slice).unwrap_or_default();
            let target = with_volatile(target, object, places);
            let missing = differences(object, &target);
            if !planned.contains(id) && !missing.is_empty() {
                return None;
            }
            // A pod that mounts what it does not have is refused.
            let broken = mounts_without_volume(object);
            if broken > mounts_without_volume(&target)
                && broken > mounts_without_volume(&self.base[id])
            {
                return None;
            }
            left.extend(missing.into_iter().map(|difference| (id.clone(), difference)));
        }
        Some(left)
    }

    /// The keys that reach something, and where.
    fn sites(&mut self) -> Result<Vec<(Key, Vec<Site>)>, E> {
        let keys = keys(self.chart.parts, self.chart.values);
        let all = marks(keys, &self.base);
        let mut found = Vec::new();
        self.probe(&all, &mut found)?;
        Ok(found)
    }

    /// Renders with these marks; what is refused is halved until it is known which mark is.
    fn probe(&mut self, marks: &[Mark], found: &mut Vec<(Key, Vec<Site>)>) -> Result<(), E> {
        if marks.is_empty() {
            return Ok(());
        }
        match self.rendered(&marked(marks, self.chart.values))? {
            Some(objects) => {
                for mark in marks {
                    let mut sites = mark.sites(&objects);
                    sites.retain(|(id, _)| self.targets.contains_key(id));
                    if !sites.is_empty() {
                        found.push((mark.key.clone(), sites));
                    }
                }
            }
            None if marks.len() > 1 && self.renderings < MAX_RENDERINGS / 2 => {
                let (one, other) = marks.split_at(marks.len() / 2);
                self.probe(one, found)?;
                self.probe(other, found)?;
            }
            None => {
                if let [mark] = marks
                    && let Some(smaller) = mark.smaller()
                {
                    self.probe(&[smaller], found)?;
                }
            }
        }
        Ok(())
    }

    /// What may be set for what is left, the most telling first.
    fn groups(&self, sites: &[(Key, Vec<Site>)], accepted: &Accepted) -> Vec<Group> {
        let mut groups: Vec<Group> =
            sites.iter().filter_map(|(key, sites)| self.group(key, sites, accepted)).collect();
        groups.sort_by_key(|group| group.order);
        // What one key sets, no other needs to.
        let mut solved: BTreeSet<Field> = BTreeSet::new();
        for group in &mut groups {
            group.values.retain(|(.., fields)| {
                fields.is_empty() || fields.iter().any(|field| !solved.contains(field))
            });
            if group.values.iter().all(|(.., fields)| fields.is_empty()) {
                group.values.clear();
            }
            solved.extend(group.values.iter().flat_map(|(.., fields)| fields.iter().cloned()));
        }
        groups.retain(|group| !group.values.is_empty());
        groups
    }

    fn group(&self, key: &Key, sites: &[Site], accepted: &Accepted) -> Option<Group> {
        let values = match key.kind {
            KeyKind::Context => self.context(key, sites),
            KeyKind::Number => self.number(key, sites),
            KeyKind::Words => self.words(key, sites),
            KeyKind::VariableMap => self.variable_map(key, sites),
            _ if accepted.0.contains_key(&key.path) => Vec::new(),
            _ => self.items(key, sites),
        };
        let solved: usize = values.iter().map(|(.., fields)| fields.len()).sum();
        let is_global = key.path.first().is_some_and(|name| name == "global");
        // A volume comes before what mounts it.
        let order = (key.kind != KeyKind::Volumes, usize::MAX - solved, is_global, key.path.len());
        let whole = match key.kind {
            KeyKind::Context => self.whole_map(key, sites, &values),
            _ => Vec::new(),
        };
        (solved > 0).then_some(Group { values, whole, order })
    }

    /// What a field of all these places is to be; `None`, if they differ.
    fn agreed(&self, sites: &[Site], below: &[String]) -> Option<Option<&Value>> {
        let mut wanted = sites
            .iter()
            .map(|(id, place)| at(self.targets.get(id)?, &[place.as_slice(), below].concat()));
        let first = wanted.next()?;
        wanted.all(|other| other == first).then_some(first)
    }

    fn context(&self, key: &Key, sites: &[Site]) -> Vec<Setting> {
        let mut below: BTreeMap<Vec<String>, BTreeSet<Field>> = BTreeMap::new();
        for (id, difference) in &self.left {
            let of_site = sites.iter().filter(|(of, _)| of == id);
            for rest in
                of_site.filter_map(|(_, place)| difference.at.strip_prefix(place.as_slice()))
            {
                if !rest.is_empty() && !difference.is_item {
                    let field = (id.clone(), difference.at.clone());
                    below.entry(rest.to_vec()).or_default().insert(field);
                }
            }
        }
        let current = get(self.chart.values, &key.path);
        let path = |rest: &[String]| [key.path.as_slice(), rest].concat();
        let mut values = Vec::new();
        for (rest, fields) in below {
            if let Some(wanted) = self.agreed(sites, &rest) {
                values.push((path(&rest), wanted.cloned().unwrap_or(Value::Null), fields));
            }
        }
        if is_disabled(current) && !values.is_empty() {
            // With it comes all that the map holds.
            for (name, field) in current.and_then(Value::as_object).into_iter().flatten() {
                let rest = [name.clone()];
                let is_set = values.iter().any(|(set, ..)| set.starts_with(&path(&rest)));
                match self.agreed(sites, &rest) {
                    _ if name == "enabled" || is_set => {}
                    Some(wanted) if wanted != Some(field) => {
                        let wanted = wanted.cloned().unwrap_or(Value::Null);
                        values.push((path(&rest), wanted, BTreeSet::new()));
                    }
                    _ => {}
                }
            }
            values.insert(0, (path(&["enabled".to_owned()]), json!(true), BTreeSet::new()));
        }
        values
    }

    /// All that a map is to have in its places, and not only what is to change.
    fn whole_map(&self, key: &Key, sites: &[Site], values: &[Setting]) -> Vec<Setting> {
        let Some(Some(wanted)) = self.agreed(sites, &[]) else { return Vec::new() };
        let mut all = values.to_vec();
        for difference in differences(&json!({}), wanted) {
            let path = [key.path.as_slice(), &difference.at].concat();
            let is_set = values.iter().any(|(set, ..)| *set == path);
            if let Some(value) = difference.wanted.filter(|_| !is_set && !difference.is_item) {
                all.push((path, value, BTreeSet::new()));
            }
        }
        all
    }

    /// A value that stands alone in its place.
    fn whole(&self, key: &Key, sites: &[Site], is_fit: impl Fn(&Value) -> bool) -> Vec<Setting> {
        let Some(Some(wanted)) = self.agreed(sites, &[]) else { return Vec::new() };
        let is_of_site = |(id, difference): &&(Id, FieldDifference)| {
            !difference.is_item
                && sites.iter().any(|(of, place)| of == id && *place == difference.at)
        };
        let fields: BTreeSet<_> = self
            .left
            .iter()
            .filter(is_of_site)
            .map(|(id, difference)| (id.clone(), difference.at.clone()))
            .collect();
        if fields.is_empty() || !is_fit(wanted) {
            return Vec::new();
        }
        vec![(key.path.clone(), wanted.clone(), fields)]
    }

    fn number(&self, key: &Key, sites: &[Site]) -> Vec<Setting> {
        self.whole(key, sites, Value::is_number)
    }

    fn words(&self, key: &Key, sites: &[Site]) -> Vec<Setting> {
        self.whole(key, sites, Value::is_array)
    }

    /// The items that the lists in all these places are to have.
    fn wanted_items(&self, sites: &[Site]) -> Vec<(Value, BTreeSet<Field>)> {
        let mut items: Vec<(Value, BTreeSet<Field>)> = Vec::new();
        for (id, difference) in self.left.iter().filter(|(_, difference)| difference.is_item) {
            let Some(wanted) = &difference.wanted else { continue };
            if !sites.iter().any(|(of, place)| of == id && *place == difference.at) {
                continue;
            }
            let field = (id.clone(), difference.at.clone());
            match items.iter_mut().find(|(item, _)| item == wanted) {
                Some((_, fields)) => drop(fields.insert(field)),
                None => items.push((wanted.clone(), BTreeSet::from([field]))),
            }
        }
        items.retain(|(item, _)| {
            sites.iter().all(|(id, place)| {
                let list = self.targets.get(id).and_then(|target| at(target, place));
                list.and_then(Value::as_array).is_some_and(|list| list.contains(item))
            })
        });
        items
    }

    fn items(&self, key: &Key, sites: &[Site]) -> Vec<Setting> {
        let current = get(self.chart.values, &key.path).and_then(Value::as_array);
        let mut list = current.cloned().unwrap_or_default();
        let items = self.wanted_items(sites);
        if items.is_empty() || !list.is_empty() && !(self.chart.may_repeat)(&key.path) {
            return Vec::new();
        }
        let mut fields = BTreeSet::new();
        for (item, of_item) in items {
            list.push(item);
            fields.extend(of_item);
        }
        vec![(key.path.clone(), Value::Array(list), fields)]
    }

    fn variable_map(&self, key: &Key, sites: &[Site]) -> Vec<Setting> {
        let items = self.wanted_items(sites).into_iter();
        let values = items.filter_map(|(item, fields)| {
            let (name, value) = (item["name"].as_str()?, item["value"].as_str()?);
            let path = [key.path.as_slice(), &[name.to_owned()]].concat();
            (item.as_object()?.len() == 2).then(|| (path, json!(value), fields))
        });
        values.collect()
    }

    /// Takes what brings the objects nearer: all of it at once, or each by itself.
    fn take(&mut self, groups: Vec<Group>, accepted: &mut Accepted) -> Result<(), E> {
        let all = groups.iter().fold(accepted.clone(), |all, group| all.with(group));
        if self.is_taken(&all)? {
            *accepted = all;
            return Ok(());
        }
        for group in groups {
            let with = accepted.with(&group);
            if self.is_taken(&with)? {
                *accepted = with;
                continue;
            }
            if !group.whole.is_empty() {
                let whole = accepted.with(&Group { values: group.whole.clone(), ..group.clone() });
                if self.is_taken(&whole)? {
                    *accepted = whole;
                    continue;
                }
            }
            if group.values.len() < 2 {
                continue;
            }
            for value in group.values {
                let one = accepted.with(&Group {
                    values: vec![value],
                    whole: Vec::new(),
                    order: group.order,
                });
                if self.is_taken(&one)? {
                    *accepted = one;
                }
            }
        }
        Ok(())
    }

    /// Whether these values leave less to do than those before.
    fn is_taken(&mut self, values: &Accepted) -> Result<bool, E> {
        let Some(objects) = self.rendered(&values.overrides())? else { return Ok(false) };
        let Some(left) = self.differing(&objects) else { return Ok(false) };
        let is_better = left.len() < self.left.len();
        if is_better {
            (self.now, self.left) = (objects, left);
        }
        Ok(is_better)
    }

    /// Leaves out what changes nothing: its fields are as they were.
    fn prune(&mut self, accepted: &mut Accepted) -> Result<(), E> {
        let is_left = |(of, place): &(Id, Vec<String>)| {
            self.left.iter().any(|(id, left)| id == of && left.at == *place)
        };
        let mut less = accepted.clone();
        less.0.retain(|_, (_, fields)| fields.is_empty() || !fields.iter().all(is_left));
        if less.0.len() == accepted.0.len() {
            return Ok(());
        }
        if let Some(objects) = self.rendered(&less.overrides())?
            && let Some(left) = self.differing(&objects)
            && left.len() <= self.left.len()
        {
            (self.now, self.left) = (objects, left);
            *accepted = less;
        }
        Ok(())
    }

    fn finished(self, accepted: Accepted) -> FoundValues {
        let number = |of: &Id| self.chart.planned.iter().position(|one| id(&one.before) == *of);
        let overrides = accepted.overrides();
        let set = accepted.0.into_iter().map(|(path, (value, fields))| {
            let fields = fields.into_iter().filter_map(|(id, place)| Some((number(&id)?, place)));
            ValueSet { path, value, fields: fields.collect() }
        });
        let planned = self.chart.planned.iter().enumerate();
        let renamed: BTreeMap<usize, (String, String)> = planned
            .filter_map(|(number, one)| Some((number, self.names.get(&id(&one.before))?.clone())))
            .collect();
        let unnamed: usize = renamed
            .keys()
            .map(|number| &self.chart.planned[*number])
            .map(|one| differences(&one.before, &one.after).len())
            .sum();
        let objects = self.chart.planned.iter().map(|one| {
            let id = id(&one.before);
            let before = self.now.get(&id).unwrap_or(&one.before).clone();
            let places = self.volatile.get(&id).map(Vec::as_slice).unwrap_or_default();
            let after = with_volatile(&one.after, &before, places);
            PlannedObject { after: aligned(&after, &before), before }
        });
        FoundValues {
            set: set.collect(),
            overrides,
            objects: objects.collect(),
            wanted: self.wanted + unnamed,
            missing: self.left.len() + unnamed,
            renamed,
            renderings: self.renderings,
        }
    }
}
