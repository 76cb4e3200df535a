//! The entries as a tree with counts and bytes: all, kind, service or function, host or schema hash.

use std::collections::{BTreeMap, HashMap};

use cache_core::redact::Secrets;
use cache_core::{EntryState, Summary};

use crate::output::safe;

/// The number of a node; 0 is the root.
pub type NodeId = u32;

/// The root: everything.
pub const ROOT: NodeId = 0;

/// One line of the tree.
#[derive(Debug)]
pub struct Node {
    /// The name, without control characters.
    pub label: Box<str>,
    /// The depth; 0 for the root.
    pub depth: u16,
    /// Entries below it.
    pub entries: u64,
    /// Bytes of their bodies and values.
    pub bytes: u64,
    /// It is folded.
    pub is_folded: bool,
    /// A dead schema: the function has a newer schema hash.
    pub is_dead: bool,
    parent: NodeId,
    children: BTreeMap<Box<[u8]>, NodeId>,
    /// For schemas: the time at which the newest entry was stored, or expires; both have the same order for results.
    newest: f64,
    schema: Option<Schema>,
}

/// A schema of a function.
#[derive(Debug)]
struct Schema {
    prefix: Vec<u8>,
    hash: Option<String>,
}

impl Node {
    /// Whether it can be unfolded.
    pub fn has_children(&self) -> bool {
        !self.children.is_empty()
    }
}

/// The tree with its folds and its selected node.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    /// The selected node: the table shows its entries.
    pub chosen: NodeId,
    /// The first line on the screen.
    pub offset: usize,
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self { nodes: Vec::new(), chosen: ROOT, offset: 0 };
        tree.nodes.push(Node::new("All", ROOT, 0));
        tree
    }
}

impl Node {
    fn new(label: &str, parent: NodeId, depth: u16) -> Self {
        Self {
            label: label.into(),
            depth,
            entries: 0,
            bytes: 0,
            // Kinds and services are unfolded, hosts and schemas are folded.
            is_folded: depth >= 2,
            is_dead: false,
            parent,
            children: BTreeMap::new(),
            newest: f64::MIN,
            schema: None,
        }
    }
}

impl Tree {
    /// The node with this number.
    pub fn get(&self, node: NodeId) -> &Node {
        &self.nodes[node as usize]
    }

    /// Counts an entry and returns its leaf.
    pub fn add(&mut self, entry: &Summary) -> NodeId {
        let leaf = self.place(entry);
        self.count(leaf, |node| {
            node.entries += 1;
            node.bytes += entry.size;
        });
        leaf
    }

    /// Removes an entry of this leaf and size from the counts.
    pub fn remove(&mut self, leaf: NodeId, size: u64) {
        self.count(leaf, |node| {
            node.entries = node.entries.saturating_sub(1);
            node.bytes = node.bytes.saturating_sub(size);
        });
    }

    /// Clears all nodes: another backend is in use.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether a leaf is at or below the selected node.
    pub fn is_chosen(&self, leaf: NodeId) -> bool {
        let mut node = leaf;
        while node != self.chosen {
            if node == ROOT {
                return false;
            }
            node = self.get(node).parent;
        }
        true
    }

    /// The shown lines, from top to bottom: unfolded nodes with entries.
    pub fn lines(&self) -> Vec<NodeId> {
        let mut lines = Vec::new();
        self.push_lines(ROOT, &mut lines);
        lines
    }

    fn push_lines(&self, node: NodeId, lines: &mut Vec<NodeId>) {
        let of = self.get(node);
        if node != ROOT && of.entries == 0 && node != self.chosen {
            return;
        }
        lines.push(node);
        if !of.is_folded {
            of.children.values().for_each(|child| self.push_lines(*child, lines));
        }
    }

    /// Folds or unfolds the selected node; returns whether it changed.
    pub fn fold(&mut self, is_folded: bool) -> bool {
        let node = &mut self.nodes[self.chosen as usize];
        let is_change = node.is_folded != is_folded && node.has_children();
        if is_change {
            node.is_folded = is_folded;
        }
        is_change
    }

    /// The parent of the selected node.
    pub fn parent(&self) -> NodeId {
        self.get(self.chosen).parent
    }

    /// The names from below the root to a node: `Results › anisearch_anime`.
    pub fn path(&self, node: NodeId) -> String {
        let mut names = Vec::new();
        let mut at = node;
        while at != ROOT {
            names.push(&*self.get(at).label);
            at = self.get(at).parent;
        }
        names.reverse();
        if names.is_empty() { self.get(ROOT).label.to_string() } else { names.join(" › ") }
    }

    /// The newest listed schema of each function.
    pub fn newest_schemas(&self) -> HashMap<Vec<u8>, Option<String>> {
        let schemas = self.nodes.iter().filter(|node| !node.is_dead && node.entries > 0);
        schemas
            .filter_map(|node| node.schema.as_ref())
            .map(|schema| (schema.prefix.clone(), schema.hash.clone()))
            .collect()
    }

    fn count(&mut self, leaf: NodeId, mut change: impl FnMut(&mut Node)) {
        let mut at = leaf;
        loop {
            let node = &mut self.nodes[at as usize];
            change(node);
            if at == ROOT {
                return;
            }
            at = node.parent;
        }
    }

    fn place(&mut self, entry: &Summary) -> NodeId {
        if let Some(key) = entry.result_key() {
            let kind = self.child(ROOT, b"result", || "Results".into());
            let prefix = self.child(kind, key.prefix, || {
                if key.prefix.is_empty() { "(empty)".into() } else { safe::key(key.prefix, Secrets::Masked).into() }
            });
            let hash = key.schema.unwrap_or_default();
            let leaf =
                self.child(prefix, hash.as_bytes(), || if hash.is_empty() { "no schema hash" } else { hash }.into());
            self.age_schema(prefix, leaf, entry.created_at.or(entry.expires_at).unwrap_or(0.0));
            self.nodes[leaf as usize]
                .schema
                .get_or_insert_with(|| Schema { prefix: key.prefix.to_vec(), hash: key.schema.map(str::to_owned) });
            leaf
        } else if let Some(http) = &entry.http {
            let kind = self.child(ROOT, b"http", || "HTTP".into());
            let service = self.child(kind, &entry.service.place().to_be_bytes(), || entry.service.name().into());
            let host = cache_core::authority(&http.url);
            self.child(service, host.as_bytes(), || {
                if host.is_empty() { "unknown host".into() } else { safe::line(&Secrets::Masked.text(host)).into() }
            })
        } else {
            let kind = self.child(ROOT, b"unreadable", || "Problems".into());
            let state = if entry.state == EntryState::Orphan { "orphan keys" } else { "corrupt" };
            self.child(kind, state.as_bytes(), || state.into())
        }
    }

    fn child(&mut self, parent: NodeId, name: &[u8], label: impl FnOnce() -> Box<str>) -> NodeId {
        if let Some(child) = self.get(parent).children.get(name) {
            return *child;
        }
        let child = self.nodes.len() as NodeId;
        let node = Node::new(&label(), parent, self.get(parent).depth + 1);
        self.nodes.push(node);
        self.nodes[parent as usize].children.insert(name.into(), child);
        child
    }

    /// Results have one TTL, which is not renewed: the last to expire was stored last.
    fn age_schema(&mut self, prefix: NodeId, leaf: NodeId, stored: f64) {
        if stored <= self.get(leaf).newest {
            return;
        }
        self.nodes[leaf as usize].newest = stored;
        let schemas: Vec<NodeId> = self.get(prefix).children.values().copied().collect();
        let newest = schemas.iter().copied().max_by(|a, b| self.get(*a).newest.total_cmp(&self.get(*b).newest));
        for schema in schemas {
            self.nodes[schema as usize].is_dead = Some(schema) != newest;
        }
    }
}
