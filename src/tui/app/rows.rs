//! The rows of the table: all listed entries, sorted, and those of them that are shown.
//!
//! Pages are merged into the sorted list instead of sorting it again, so that a frame takes the same time with a
//! hundred entries and with half a million. The number of a row does not change while the entry exists.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use cache_core::{EntryId, Summary};

use crate::tui::app::query::Query;
use crate::tui::app::sort::{Rank, Sort};
use crate::tui::app::tree::{NodeId, Tree};

/// The number of a row.
pub type RowId = u32;

/// An entry in the table.
#[derive(Debug)]
pub struct Row {
    /// The entry.
    pub entry: Box<Summary>,
    /// Its leaf in the tree.
    pub leaf: NodeId,
    /// It is marked.
    pub is_marked: bool,
    /// The last scan that found it.
    seen_by: u32,
}

/// All rows.
#[derive(Debug, Default)]
pub struct Rows {
    slots: Vec<Option<Row>>,
    /// The row of each slot.
    ranks: Vec<Rank>,
    /// A keyed hash of the ID, which is smaller than the ID; matches are confirmed with the ID.
    by_id: HashMap<u64, RowId>,
    hasher: RandomState,
    order: Vec<RowId>,
    visible: Vec<RowId>,
    sort: Sort,
    scan: u32,
    marked: usize,
    visible_bytes: u64,
}

/// Selects the shown rows.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// The filter line.
    pub query: &'a Query,
    /// The tree with its selected node.
    pub tree: &'a Tree,
    /// Unix seconds.
    pub now: f64,
}

impl Choice<'_> {
    fn shows(&self, row: &Row) -> bool {
        self.tree.is_chosen(row.leaf) && self.query.matches(&row.entry, self.now)
    }
}

impl Rows {
    /// The row with this number.
    pub fn get(&self, row: RowId) -> Option<&Row> {
        self.slots.get(row as usize)?.as_ref()
    }

    /// The entry with this id.
    pub fn entry(&self, id: &EntryId) -> Option<&Summary> {
        Some(&self.get(self.find(id)?.1)?.entry)
    }

    /// The number of all entries.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// All entries, shown or not.
    pub fn entries(&self) -> impl Iterator<Item = &Summary> {
        self.slots.iter().flatten().map(|row| &*row.entry)
    }

    /// The shown rows, in order.
    pub fn visible(&self) -> &[RowId] {
        &self.visible
    }

    /// The shown entries, in order.
    pub fn visible_entries(&self) -> impl Iterator<Item = &Summary> {
        self.visible.iter().filter_map(|row| self.get(*row)).map(|row| &*row.entry)
    }

    /// Bytes of all shown bodies and values.
    pub fn visible_bytes(&self) -> u64 {
        self.visible_bytes
    }

    /// The order in use.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// The number of marked rows, shown or not.
    pub fn marked(&self) -> usize {
        self.marked
    }

    /// The number of marked rows that are shown.
    pub fn marked_and_visible(&self) -> usize {
        self.visible.iter().filter(|row| self.get(**row).is_some_and(|row| row.is_marked)).count()
    }

    /// The marked entries.
    pub fn marked_entries(&self) -> impl Iterator<Item = &Summary> {
        self.slots.iter().flatten().filter(|row| row.is_marked).map(|row| &*row.entry)
    }

    /// The position of a row among the shown rows.
    pub fn position(&self, row: RowId) -> Option<usize> {
        let at = self.visible.partition_point(|other| self.compare(*other, row) == Ordering::Less);
        (self.visible.get(at) == Some(&row)).then_some(at)
    }

    /// Starts a scan: [`Rows::end_scan`] removes the rows that it does not find.
    pub fn begin_scan(&mut self) {
        self.scan += 1;
    }

    /// Merges a page and counts its entries in the tree.
    pub fn add(&mut self, entries: Vec<Summary>, tree: &mut Tree, query: &Query, now: f64) {
        let mut placed = Vec::with_capacity(entries.len());
        let mut changed = Vec::new();
        for entry in entries {
            match self.find(&entry.id) {
                Some((_, row)) => changed.extend(self.has_changed(row, &entry).then_some((row, entry))),
                None => placed.push(self.insert(entry, tree)),
            }
        }
        if !changed.is_empty() {
            let is_changed = self.flags(changed.iter().map(|(row, _)| *row));
            self.order.retain(|row| !is_changed[*row as usize]);
            self.hide(|row| is_changed[row as usize]);
            for (row, entry) in changed {
                self.replace(row, entry, tree);
                placed.push(row);
            }
        }
        let mut order = std::mem::take(&mut self.order);
        let mut shown = std::mem::take(&mut self.visible);
        placed.sort_unstable_by(|a, b| self.compare(*a, *b));
        merge(&mut order, &placed, |a, b| self.compare(a, b));
        let choice = Choice { query, tree, now };
        let (is_all_shown, added) = (shown.len() + placed.len() == order.len(), placed.len());
        placed.retain(|row| self.get(*row).is_some_and(|row| choice.shows(row)));
        self.visible_bytes += placed.iter().map(|row| self.size(*row)).sum::<u64>();
        if is_all_shown && placed.len() == added {
            shown.clone_from(&order);
        } else {
            merge(&mut shown, &placed, |a, b| self.compare(a, b));
        }
        (self.order, self.visible) = (order, shown);
    }

    /// Removes the rows that the completed scan did not find.
    pub fn end_scan(&mut self, tree: &mut Tree) {
        let gone: Vec<RowId> = (0..self.slots.len() as RowId)
            .filter(|row| self.get(*row).is_some_and(|row| row.seen_by != self.scan))
            .collect();
        self.drop_rows(&gone, tree);
    }

    /// Removes the rows of deleted entries.
    pub fn remove<'a>(&mut self, ids: impl IntoIterator<Item = &'a EntryId>, tree: &mut Tree) {
        let gone: Vec<RowId> = ids.into_iter().filter_map(|id| self.find(id)).map(|(_, row)| row).collect();
        self.drop_rows(&gone, tree);
    }

    /// Removes all rows: another backend is in use.
    pub fn clear(&mut self) {
        *self = Self { sort: self.sort, scan: self.scan, ..Self::default() };
    }

    /// Changes the expiry of entries.
    pub fn set_expiry<'a>(
        &mut self,
        changes: impl IntoIterator<Item = (&'a EntryId, Option<f64>)>,
        tree: &mut Tree,
        query: &Query,
        now: f64,
    ) {
        let changed = changes
            .into_iter()
            .filter_map(|(id, expires_at)| {
                let (_, row) = self.find(id)?;
                Some(Summary { expires_at, ..(*self.get(row)?.entry).clone() })
            })
            .collect();
        self.add(changed, tree, query, now);
    }

    /// Shows the rows that the selection matches, out of all rows.
    pub fn choose(&mut self, choice: Choice<'_>) {
        // In slot order, which is close to memory order and much faster than table order.
        let is_shown: Vec<bool> =
            self.slots.iter().map(|slot| slot.as_ref().is_some_and(|row| choice.shows(row))).collect();
        self.visible.clear();
        self.visible.extend(self.order.iter().filter(|row| is_shown[**row as usize]));
        self.visible_bytes = self
            .slots
            .iter()
            .zip(&is_shown)
            .filter(|(_, is_shown)| **is_shown)
            .map(|(slot, _)| slot.as_ref().map_or(0, |row| row.entry.size))
            .sum();
    }

    /// Changes the order.
    pub fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
        for (rank, slot) in self.ranks.iter_mut().zip(&self.slots) {
            if let Some(row) = slot {
                *rank = sort.rank(&row.entry);
            }
        }
        // Ranks are sorted together with the rows.
        let mut ranked: Vec<_> = self.order.iter().map(|row| (self.ranks[*row as usize], *row)).collect();
        ranked.sort_unstable_by(|a, b| {
            let by_rank = if sort.is_reversed { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            by_rank.then_with(|| self.compare(a.1, b.1))
        });
        self.order = ranked.into_iter().map(|(_, row)| row).collect();
        let is_shown = self.flags(self.visible.iter().copied());
        self.visible.clear();
        self.visible.extend(self.order.iter().filter(|row| is_shown[**row as usize]));
    }

    /// Marks or unmarks rows.
    pub fn mark(&mut self, rows: impl IntoIterator<Item = RowId>, is_marked: bool) {
        for row in rows {
            if let Some(Some(row)) = self.slots.get_mut(row as usize)
                && row.is_marked != is_marked
            {
                row.is_marked = is_marked;
                if is_marked { self.marked += 1 } else { self.marked -= 1 }
            }
        }
    }

    /// Inverts the marks of the shown rows.
    pub fn invert_marks(&mut self) {
        for at in 0..self.visible.len() {
            let row = self.visible[at];
            let is_marked = self.get(row).is_some_and(|row| row.is_marked);
            self.mark([row], !is_marked);
        }
    }

    /// Removes all marks.
    pub fn clear_marks(&mut self) {
        self.slots.iter_mut().flatten().for_each(|row| row.is_marked = false);
        self.marked = 0;
    }

    /// For each row, whether it is one of these.
    fn flags(&self, rows: impl Iterator<Item = RowId>) -> Vec<bool> {
        let mut flags = vec![false; self.slots.len()];
        for row in rows {
            flags[row as usize] = true;
        }
        flags
    }

    fn find(&self, id: &EntryId) -> Option<(u64, RowId)> {
        let mut hash = self.hasher.hash_one(id);
        while let Some(&row) = self.by_id.get(&hash) {
            if self.get(row).is_some_and(|row| row.entry.id == *id) {
                return Some((hash, row));
            }
            hash = hash.wrapping_add(1);
        }
        None
    }

    fn insert(&mut self, entry: Summary, tree: &mut Tree) -> RowId {
        let row = self.slots.len() as RowId;
        let mut hash = self.hasher.hash_one(&entry.id);
        while self.by_id.contains_key(&hash) {
            hash = hash.wrapping_add(1);
        }
        self.by_id.insert(hash, row);
        let leaf = tree.add(&entry);
        self.ranks.push(self.sort.rank(&entry));
        self.slots.push(Some(Row { entry: Box::new(entry), leaf, is_marked: false, seen_by: self.scan }));
        row
    }

    /// Records that the scan found a row; returns whether it has changed.
    fn has_changed(&mut self, row: RowId, entry: &Summary) -> bool {
        let scan = self.scan;
        self.slots.get_mut(row as usize).and_then(Option::as_mut).is_some_and(|row| {
            row.seen_by = scan;
            *row.entry != *entry
        })
    }

    fn replace(&mut self, row: RowId, entry: Summary, tree: &mut Tree) {
        if let Some(Some(slot)) = self.slots.get_mut(row as usize) {
            tree.remove(slot.leaf, slot.entry.size);
            slot.leaf = tree.add(&entry);
            self.ranks[row as usize] = self.sort.rank(&entry);
            *slot.entry = entry;
        }
    }

    fn drop_rows(&mut self, gone: &[RowId], tree: &mut Tree) {
        if gone.is_empty() {
            return;
        }
        let is_gone = self.flags(gone.iter().copied());
        self.mark(gone.iter().copied(), false);
        self.order.retain(|row| !is_gone[*row as usize]);
        self.hide(|row| is_gone[row as usize]);
        for row in gone {
            let hash = self.get(*row).and_then(|row| self.find(&row.entry.id)).map(|(hash, _)| hash);
            if let Some(hash) = hash {
                self.by_id.remove(&hash);
            }
            if let Some(row) = self.slots[*row as usize].take() {
                tree.remove(row.leaf, row.entry.size);
            }
        }
    }

    fn hide(&mut self, is_hidden: impl Fn(RowId) -> bool) {
        let mut shown = std::mem::take(&mut self.visible);
        let mut bytes = 0;
        shown.retain(|row| {
            let is_hidden = is_hidden(*row);
            if is_hidden {
                bytes += self.size(*row);
            }
            !is_hidden
        });
        self.visible = shown;
        self.visible_bytes = self.visible_bytes.saturating_sub(bytes);
    }

    fn size(&self, row: RowId) -> u64 {
        self.get(row).map_or(0, |row| row.entry.size)
    }

    fn compare(&self, a: RowId, b: RowId) -> Ordering {
        let by_rank = self.ranks[a as usize].cmp(&self.ranks[b as usize]);
        if by_rank != Ordering::Equal {
            return if self.sort.is_reversed { by_rank.reverse() } else { by_rank };
        }
        match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => self.sort.break_tie(&a.entry, &b.entry),
            _ => a.cmp(&b),
        }
    }
}

/// Merges a short sorted list into a long one: positions are found by search, and the rows between are moved in blocks.
fn merge(into: &mut Vec<RowId>, added: &[RowId], compare: impl Fn(RowId, RowId) -> Ordering) {
    let mut unmoved = into.len();
    into.resize(unmoved + added.len(), 0);
    for (before, row) in added.iter().enumerate().rev() {
        let at = into[..unmoved].partition_point(|other| compare(*other, *row) == Ordering::Less);
        into.copy_within(at..unmoved, at + before + 1);
        into[at + before] = *row;
        unmoved = at;
    }
}
