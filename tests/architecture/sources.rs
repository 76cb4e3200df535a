//! The sources of both crates as a graph: which file imports which name from which other file.
//!
//! Read with `syn`, without `#[cfg(test)]`: every `use`, and every path in code and in macro calls that begins with
//! `crate`, `self`, `super`, a child module, an imported module or the library's name. A name that a module only
//! re-exports counts for the file that defines it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::{Attribute, Item, UseTree};

/// The roots of the crates, and the names that paths have for them.
const ROOTS: [(&str, &str); 2] = [("cache_core", "cache-core/src/lib.rs"), ("animecache", "src/lib.rs")];

/// The text of every source file, by its path in the repository.
pub type Texts = BTreeMap<String, String>;

/// One import: `from -> to: symbol`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
    pub symbol: String,
}

impl std::fmt::Display for Import {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} -> {}: {}", self.from, self.to, self.symbol)
    }
}

/// One file, which is one module.
#[derive(Debug, Default)]
pub struct File {
    pub path: String,
    pub lines: usize,
    /// Functions and their lines.
    pub functions: Vec<(String, usize)>,
    /// Types with inherent `impl` blocks.
    pub inherent_impls: BTreeSet<String>,
    module: Vec<String>,
    items: BTreeSet<String>,
    children: HashMap<String, usize>,
    /// Alias and path of every `use`.
    uses: Vec<(String, Vec<String>)>,
    paths: BTreeSet<Vec<String>>,
}

/// Both crates.
#[derive(Debug, Default)]
pub struct Sources {
    pub files: Vec<File>,
    modules: HashMap<Vec<String>, usize>,
}

/// Reads every source file of both crates.
pub fn read() -> Texts {
    fn walk(root: &Path, folder: &Path, texts: &mut Texts) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, texts);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                texts.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Texts::new();
    for folder in ["src", "cache-core/src"] {
        walk(root, &root.join(folder), &mut texts);
    }
    texts
}

impl Sources {
    pub fn parse(texts: &Texts) -> Self {
        let mut sources = Self::default();
        for (name, path) in ROOTS {
            sources.load(texts, &[name.to_owned()], path);
        }
        sources
    }

    fn load(&mut self, texts: &Texts, module: &[String], path: &str) -> usize {
        let text = texts.get(path).unwrap_or_else(|| panic!("{path} is missing"));
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut file =
            File { path: path.to_owned(), lines: text.lines().count(), module: module.to_vec(), ..File::default() };
        let mut children = Vec::new();
        for item in syntax.items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(child) if child.content.is_none() => children.push(child.ident.to_string()),
                item => file.read(item),
            }
        }
        let at = self.files.len();
        self.modules.insert(module.to_vec(), at);
        self.files.push(file);
        let folder = path.strip_suffix("lib.rs").map_or_else(|| path.replace(".rs", "/"), str::to_owned);
        for name in children {
            let child = [module, std::slice::from_ref(&name)].concat();
            let child = self.load(texts, &child, &format!("{folder}{name}.rs"));
            self.files[at].children.insert(name, child);
        }
        at
    }

    /// Every import between files, sorted.
    pub fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (at, file) in self.files.iter().enumerate() {
            for path in file.uses.iter().map(|(_, path)| path).chain(&file.paths) {
                let Some(to) = self.resolve(at, path).filter(|to| *to != at) else { continue };
                let symbol = path.last().cloned().unwrap_or_default();
                imports.insert(Import { from: file.path.clone(), to: self.files[to].path.clone(), symbol });
            }
        }
        imports
    }

    /// Files with an inherent `impl` of a type that another file defines.
    pub fn foreign_impls(&self) -> Vec<String> {
        let mut offences = Vec::new();
        for (at, file) in self.files.iter().enumerate() {
            for name in &file.inherent_impls {
                let import = file.uses.iter().find(|(alias, _)| alias == name);
                let home = import.and_then(|(_, path)| self.resolve(at, path)).filter(|home| *home != at);
                offences.extend(home.map(|home| format!("{}: impl {name} of {}", file.path, self.files[home].path)));
            }
        }
        offences
    }

    /// The file that defines what a path names, as the path is written in the file `from`.
    fn resolve(&self, from: usize, path: &[String]) -> Option<usize> {
        let file = &self.files[from];
        let first = path.first()?.as_str();
        let (start, rest) = match first {
            "crate" => (file.module[..1].to_vec(), &path[1..]),
            "self" => (file.module.clone(), &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|step| *step == "super").count();
                (file.module[..file.module.len().checked_sub(ups)?].to_vec(), &path[ups..])
            }
            "cache_core" if file.module[0] != "cache_core" => (vec!["cache_core".to_owned()], &path[1..]),
            _ if file.children.contains_key(first) => (file.module.clone(), path),
            _ => {
                // A path through an imported module: `use crate::tui::rows;`, and then `rows::Reader`.
                let (_, target) = file.uses.iter().find(|(alias, target)| alias == first && target[0] != first)?;
                return self.resolve(from, &[target.as_slice(), &path[1..]].concat());
            }
        };
        self.find(*self.modules.get(&start)?, rest)
    }

    fn find(&self, at: usize, path: &[String]) -> Option<usize> {
        let Some(name) = path.first() else { return Some(at) };
        let file = &self.files[at];
        let child = file.children.get(name).copied();
        // A module and a function may share a name; only a module has something below it.
        if let Some(child) = child.filter(|_| path.len() > 1 || !file.items.contains(name)) {
            return self.find(child, &path[1..]);
        }
        if file.items.contains(name) {
            return Some(at);
        }
        match file.uses.iter().find(|(alias, _)| alias == name) {
            Some((_, target)) => self.resolve(at, &[target.as_slice(), &path[1..]].concat()),
            None => Some(at),
        }
    }
}

impl File {
    fn read(&mut self, item: &Item) {
        self.items.extend(name(item));
        let mut reader = Reader { file: self };
        reader.visit_item(item);
        if !matches!(item, Item::Use(_)) {
            collect_paths(item.to_token_stream(), &mut self.paths);
        }
    }
}

/// Reads what `syn` has a node for: imports, functions and `impl` blocks.
struct Reader<'a> {
    file: &'a mut File,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        expand(&item.tree, &mut Vec::new(), &mut self.file.uses);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let (None, syn::Type::Path(path)) = (&item.trait_, &*item.self_ty) {
            self.file.inherent_impls.extend(path.path.get_ident().map(ToString::to_string));
        }
        syn::visit::visit_item_impl(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.file.functions.push((item.sig.ident.to_string(), lines(item.sig.span(), item.block.span())));
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.file.functions.push((item.sig.ident.to_string(), lines(item.sig.span(), item.block.span())));
        syn::visit::visit_impl_item_fn(self, item);
    }
}

fn lines(signature: proc_macro2::Span, block: proc_macro2::Span) -> usize {
    block.end().line + 1 - signature.start().line
}

/// Every `a::b` in the tokens, also those in macro calls, which `syn` does not parse.
fn collect_paths(tokens: TokenStream, paths: &mut BTreeSet<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    // `$crate` names the crate for the users of a macro: it imports nothing where the macro is defined.
    let mut is_of_macro = false;
    let mut end = |path: &mut Vec<String>| {
        if path.len() > 1 {
            paths.insert(std::mem::take(path));
        }
        path.clear();
    };
    let mut groups = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Punct(punct) if punct.as_char() == '$' => {
                end(&mut path);
                (colons, is_of_macro) = (0, true);
            }
            TokenTree::Ident(ident) if is_of_macro && (colons == 2 || ident == "crate") => colons = 0,
            TokenTree::Ident(ident) => {
                is_of_macro = false;
                if colons != 2 {
                    end(&mut path);
                }
                path.push(ident.to_string());
                colons = 0;
            }
            other => {
                end(&mut path);
                colons = 0;
                if let TokenTree::Group(group) = other {
                    groups.push(group.stream());
                }
            }
        }
    }
    end(&mut path);
    for group in groups {
        collect_paths(group, paths);
    }
}

/// A `use` as pairs of alias and path.
fn expand(tree: &UseTree, before: &mut Vec<String>, out: &mut Vec<(String, Vec<String>)>) {
    let with = |last: String| before.iter().cloned().chain([last]).collect::<Vec<_>>();
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            expand(&path.tree, before, out);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            out.push((before.last().cloned().unwrap_or_default(), before.clone()));
        }
        UseTree::Name(name) => out.push((name.ident.to_string(), with(name.ident.to_string()))),
        UseTree::Rename(name) => out.push((name.rename.to_string(), with(name.ident.to_string()))),
        UseTree::Glob(_) => out.push(("*".to_owned(), before.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| expand(tree, before, out)),
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if names_test(&list.tokens.to_string()))
    })
}

/// Whether a `cfg` is about tests: `test`, or `all(test, …)`.
fn names_test(condition: &str) -> bool {
    condition.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "test")
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
