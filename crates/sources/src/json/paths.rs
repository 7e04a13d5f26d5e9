//! Paths of fields in JSON: `user.address.city`, and `event_params[key=page_location].value` for the element of a list
//! that has a certain value in one of its fields.

use super::scan::{Choice, Inside, Lookup, ObjectShape, Shapes, join};

/// Where the rows of a document are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowsPath<'a> {
    /// A list around the documents themselves, which may be absent: `batch` of `{"batch": [...], "sentAt": ...}`. Columns
    /// do not name it, and fields that a document lacks are taken from the object around the list.
    pub(crate) wrapper: Option<&'a str>,
    /// The path to the elements that are rows (`orders[].lines[]`); the document itself when empty.
    pub(crate) rows: &'a str,
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
enum PathStep<'a> {
    /// A field of an object.
    Field(&'a str),
    /// The element of a list in which a field has a value.
    Which { name: &'a str, value: &'a str },
    /// Every element of a list.
    Each,
}

impl Shapes {
    /// Shapes with one object, of which nothing is wanted yet.
    pub(super) fn for_one_object() -> Shapes {
        Shapes { objects: vec![ObjectShape::default()], lookups: Vec::new() }
    }

    /// Wants the field at the end of a path, which begins in the object `root`, in a cell.
    ///
    /// # Errors
    /// Why a path is malformed, or contradicts another.
    pub(super) fn want(&mut self, root: usize, path: &str, cell: usize) -> Result<(), String> {
        let (object, name, which) = self.walk(root, path)?;
        match which {
            None => self.objects[object].wanted(name).cell = Some(cell),
            Some((key, value)) => {
                let (lookup, choice) = self.choice(object, name, key, value)?;
                self.lookups[lookup].choices[choice].cell = Some(cell);
            }
        }
        if name.len() != path.len() {
            // A name may hold dots itself.
            self.objects[root].wanted(path).cell = Some(cell);
        }
        Ok(())
    }

    /// Makes the elements of the list at the end of a path rows.
    pub(super) fn want_rows(&mut self, root: usize, path: &str) -> Result<(), String> {
        let (object, name, which) = self.walk(root, path)?;
        let wanted = self.objects[object].wanted(name);
        if which.is_some() || wanted.inside != Inside::Nothing {
            return Err(format!("`{path}` is not a list of rows"));
        }
        wanted.inside = Inside::Rows;
        Ok(())
    }

    /// Follows a path to its last field: the object that has it, its name, and which of its elements is meant.
    #[allow(clippy::type_complexity)]
    fn walk<'p>(&mut self, root: usize, path: &'p str) -> Result<(usize, &'p str, Option<(&'p str, &'p str)>), String> {
        let steps = steps(path);
        let mut object = root;
        let mut rest = steps.as_slice();
        loop {
            rest = match rest {
                [PathStep::Field(name)] => return Ok((object, name, None)),
                [PathStep::Field(name), PathStep::Which { name: key, value }] => {
                    return Ok((object, name, Some((key, value))));
                }
                [PathStep::Field(name), PathStep::Field(_), ..] => {
                    object = self.object_in(object, name)?;
                    &rest[1..]
                }
                [PathStep::Field(name), PathStep::Which { name: key, value }, PathStep::Field(_), ..] => {
                    let (lookup, choice) = self.choice(object, name, key, value)?;
                    let next = self.objects.len();
                    let known = &mut self.lookups[lookup].choices[choice].object;
                    object = *known.get_or_insert(next);
                    if object == next {
                        let path = format!("{}[{key}={value}]", self.lookups[lookup].path);
                        self.objects.push(ObjectShape::at(path));
                    }
                    &rest[2..]
                }
                _ if steps.contains(&PathStep::Each) => {
                    return Err(format!("`{path}` leads into a list whose elements are not rows"));
                }
                _ => return Err(format!("`{path}` is not the path of a field")),
            }
        }
    }

    fn object_in(&mut self, object: usize, name: &str) -> Result<usize, String> {
        let next = self.objects.len();
        let path = join(&self.objects[object].path, name);
        match &mut self.objects[object].wanted(name).inside {
            Inside::Object(known) => Ok(*known),
            inside @ Inside::Nothing => {
                *inside = Inside::Object(next);
                self.objects.push(ObjectShape::at(path));
                Ok(next)
            }
            _ => Err(format!("`{path}` is used both as an object and as a list")),
        }
    }

    fn choice(&mut self, object: usize, name: &str, key: &str, value: &str) -> Result<(usize, usize), String> {
        let next = self.lookups.len();
        let path = join(&self.objects[object].path, name);
        let lookup = match &mut self.objects[object].wanted(name).inside {
            Inside::Lookup(known) => *known,
            inside @ Inside::Nothing => {
                *inside = Inside::Lookup(next);
                self.lookups.push(Lookup { path: path.clone(), name: key.to_string(), choices: Vec::new() });
                next
            }
            _ => {
                return Err(format!(
                    "`{path}` is used both as a list of selected elements and as an object or list of rows"
                ));
            }
        };
        let lookup_shape = &mut self.lookups[lookup];
        if lookup_shape.name != key {
            return Err(format!("the elements of `{path}` are selected by `{}` and by `{key}`", lookup_shape.name));
        }
        let known = lookup_shape.choices.iter().position(|choice| choice.value == value);
        let choice = known.unwrap_or_else(|| {
            lookup_shape.choices.push(Choice { value: value.to_string(), cell: None, object: None, met: false });
            lookup_shape.choices.len() - 1
        });
        Ok((lookup, choice))
    }
}

/// The steps of a path. Brackets that hold something else are part of a name.
fn steps(path: &str) -> Vec<PathStep<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    loop {
        let (part, after) = part(rest);
        let (mut name, mut brackets) = (part, Vec::new());
        while let Some((before, inner)) = name.strip_suffix(']').and_then(|part| part.rsplit_once('[')) {
            match inner.split_once('=') {
                Some((key, value)) if !key.is_empty() => brackets.push(PathStep::Which { name: key, value }),
                None if inner.is_empty() => brackets.push(PathStep::Each),
                _ => break,
            }
            name = before;
        }
        if !name.is_empty() || brackets.is_empty() {
            steps.push(PathStep::Field(name));
        }
        steps.extend(brackets.into_iter().rev());
        match after {
            Some(after) => rest = after,
            None => return steps,
        }
    }
}

/// A path up to its first dot outside brackets, and what follows it.
fn part(path: &str) -> (&str, Option<&str>) {
    let mut depth = 0usize;
    for (at, character) in path.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => return (&path[..at], Some(&path[at + 1..])),
            _ => {}
        }
    }
    (path, None)
}

/// The dotted paths between the lists of a path of rows: `a.b[].c[]` is `a.b` and `c`; none when it names no list.
///
/// # Errors
/// Why a path does not lead to the elements of a list.
pub(super) fn lists(rows: &str) -> Result<Vec<&str>, String> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let Some(inner) = rows.strip_suffix("[]") else {
        return Err(format!("`{rows}` does not end with the elements of a list; mark lists by `[]`"));
    };
    let lists: Vec<&str> = inner
        .split("[]")
        .enumerate()
        .map(|(i, path)| if i > 0 { path.trim_start_matches('.') } else { path })
        .collect();
    match lists.iter().any(|path| path.contains(['[', ']'])) {
        true => Err(format!("`{rows}` is not a path of lists; write it like `orders[].lines[]`")),
        false => Ok(lists),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        use PathStep::*;
        assert_eq!(steps("a.b"), [Field("a"), Field("b")]);
        assert_eq!(steps("batch[].id"), [Field("batch"), Each, Field("id")]);
        assert_eq!(steps("p[key=a.b].v"), [Field("p"), Which { name: "key", value: "a.b" }, Field("v")]);
        assert_eq!(steps("price[EUR]"), [Field("price[EUR]")]);
        assert_eq!(steps("[].a"), [Each, Field("a")]);
        assert_eq!(steps(""), [Field("")]);
    }

    #[test]
    fn paths_of_rows_name_their_lists() {
        assert_eq!(lists(""), Ok(vec![]));
        assert_eq!(lists("[]"), Ok(vec![""]));
        assert_eq!(lists("data.batch[]"), Ok(vec!["data.batch"]));
        assert_eq!(lists("a[].b.c[][]"), Ok(vec!["a", "b.c", ""]));
        assert!(lists("batch").unwrap_err().contains("does not end"));
        assert!(lists("a[k=v].b[]").unwrap_err().contains("is not a path of lists"));
    }

    #[test]
    fn paths_that_fight_are_refused() {
        let mut shapes = Shapes::for_one_object();
        shapes.want(0, "p[key=a].v", 0).unwrap();
        shapes.want(0, "p", 1).unwrap();
        assert!(shapes.want(0, "p.x", 2).unwrap_err().contains("both as an object and as a list"));
        assert!(shapes.want(0, "p[name=a]", 2).unwrap_err().contains("selected by `key` and by `name`"));
        assert!(shapes.want(0, "q[].v", 2).unwrap_err().contains("are not rows"));
        assert!(shapes.want_rows(0, "p").is_err());
        assert!(shapes.want(0, "[key=a].v", 2).unwrap_err().contains("not the path of a field"));
    }
}
