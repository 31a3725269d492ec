//! A storage in memory that crashes, and then has lost, torn and reordered everything that was not synced.
//!
//! What a disk may do is modelled per file and per folder: bytes that were not synced are there, gone, or there in
//! part; names that were not synced have changed or not, each on its own.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use super::{Files, folder_of};

/// What a sync makes durable. A storage can be told to do nothing for one of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sync {
    /// The bytes of tiles.
    TileBytes,
    /// The names of tiles.
    TileNames,
    /// The names of folders.
    FolderNames,
    /// The bytes of the state: of a log, or of a witness.
    StateBytes,
    /// The names of the state.
    StateNames,
}

/// A folder in memory. Clones are the same folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyStorage(Rc<RefCell<Disk>>);

#[derive(Clone, Debug, Default)]
struct Disk {
    files: Vec<File>,
    /// What each folder holds: now, and after a crash at least.
    folders: BTreeMap<String, Folder>,
    steps: usize,
    crash_at: Option<usize>,
    ignored: Option<Sync>,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    durable: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Folder {
    now: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Node {
    File(usize),
    Folder,
}

impl FaultyStorage {
    pub(crate) fn new() -> Self {
        let storage = Self::default();
        let mut disk = storage.0.borrow_mut();
        disk.folders.insert(String::new(), Folder::default());
        drop(disk);
        storage
    }

    /// Does nothing for syncs of this kind from now on.
    pub(crate) fn ignore_if(&self, sync: Option<Sync>) {
        self.0.borrow_mut().ignored = sync;
    }

    /// Fails the step with this number, counted from now, and every one after it.
    pub(crate) fn crash_after(&self, steps: usize) {
        let mut disk = self.0.borrow_mut();
        disk.crash_at = Some(disk.steps + steps);
    }

    /// How many steps were done.
    pub(crate) fn steps(&self) -> usize {
        self.0.borrow().steps
    }

    /// What is left after a crash now. `choice` decides between `n` possibilities.
    pub(crate) fn after_crash(&self, choice: &mut impl FnMut(usize) -> usize) -> Self {
        let old = self.0.borrow();
        let mut disk = Disk::default();
        for file in &old.files {
            let bytes = match (&file.durable, choice(4)) {
                (Some(durable), _) if *durable == file.bytes => file.bytes.clone(),
                (_, 0) => file.bytes.clone(),
                // Torn: the first part is new, the rest as it was or zero.
                (durable, 1) => {
                    let at = choice(file.bytes.len() + 1);
                    let mut torn = file.bytes[..at].to_vec();
                    let rest = durable.as_deref().unwrap_or_default();
                    torn.extend(rest.iter().skip(at));
                    torn
                }
                (_, 2) => vec![0; file.bytes.len()],
                (durable, _) => durable.clone().unwrap_or_default(),
            };
            disk.files.push(File {
                durable: Some(bytes.clone()),
                bytes,
            });
        }
        let mut lost = BTreeSet::new();
        for (name, folder) in &old.folders {
            if !name.is_empty() && lost.contains(name) {
                continue;
            }
            let mut left = folder.durable.clone();
            let names: BTreeSet<_> = folder.now.keys().chain(folder.durable.keys()).collect();
            for child in names {
                let (now, durable) = (folder.now.get(child), folder.durable.get(child));
                if now != durable && choice(2) == 1 {
                    match now {
                        Some(node) => left.insert(child.clone(), *node),
                        None => left.remove(child),
                    };
                }
            }
            for folder in old
                .folders
                .keys()
                .filter(|inner| folder_of(inner) == name && !inner.is_empty())
            {
                let child = folder.rsplit('/').next().unwrap();
                if left.get(child) != Some(&Node::Folder) {
                    lost.insert(folder.clone());
                }
            }
            let folder = Folder {
                now: left.clone(),
                durable: left,
            };
            disk.folders.insert(name.clone(), folder);
        }
        for folder in &lost {
            let inner = format!("{folder}/");
            disk.folders
                .retain(|name, _| name != folder && !name.starts_with(&inner));
        }
        disk.ignored = old.ignored;
        Self(Rc::new(RefCell::new(disk)))
    }

    fn step(&self) -> io::Result<std::cell::RefMut<'_, Disk>> {
        let mut disk = self.0.borrow_mut();
        if disk.crash_at.is_some_and(|at| disk.steps >= at) {
            return Err(io::Error::other("crashed"));
        }
        disk.steps += 1;
        Ok(disk)
    }
}

impl Disk {
    fn folder(&mut self, name: &str) -> io::Result<&mut Folder> {
        self.folders
            .get_mut(name)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn node(&mut self, name: &str) -> io::Result<Option<Node>> {
        let child = last(name);
        Ok(self.folder(folder_of(name))?.now.get(child).copied())
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap()
}

fn is_tile(name: &str) -> bool {
    name.starts_with("tile/")
}

impl Files for FaultyStorage {
    fn read(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        let mut disk = self.0.borrow_mut();
        let Ok(Some(Node::File(at))) = disk.node(name) else {
            return Ok(None);
        };
        let bytes = disk.files.get(at).unwrap().bytes.clone();
        if bytes.len() > max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.step()?;
        let at = if let Some(Node::File(at)) = disk.node(name)? {
            at
        } else {
            disk.files.push(File::default());
            let at = disk.files.len() - 1;
            let child = last(name).to_owned();
            disk.folder(folder_of(name))?
                .now
                .insert(child, Node::File(at));
            at
        };
        disk.files.get_mut(at).unwrap().bytes = bytes.to_vec();
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut disk = self.step()?;
        let kind = if is_tile(name) {
            Sync::TileBytes
        } else {
            Sync::StateBytes
        };
        let Some(Node::File(at)) = disk.node(name)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if disk.ignored != Some(kind) {
            let file = disk.files.get_mut(at).unwrap();
            file.durable = Some(file.bytes.clone());
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.step()?;
        assert_eq!(
            folder_of(from),
            folder_of(to),
            "a rename stays in its folder"
        );
        let folder = disk.folder(folder_of(from))?;
        let node = folder.now.remove(last(from));
        let node = node.ok_or(io::ErrorKind::NotFound)?;
        folder.now.insert(last(to).to_owned(), node);
        Ok(())
    }

    fn make_folder(&self, name: &str) -> io::Result<()> {
        let mut disk = self.step()?;
        let above = disk.folder(folder_of(name))?;
        above.now.insert(last(name).to_owned(), Node::Folder);
        disk.folders.entry(name.to_owned()).or_default();
        Ok(())
    }

    fn sync_folder(&self, name: &str) -> io::Result<()> {
        let mut disk = self.step()?;
        let ignored = disk.ignored;
        let folder = disk.folder(name)?;
        for (child, node) in folder.now.clone() {
            let kind = match node {
                Node::Folder => Sync::FolderNames,
                Node::File(_) if is_tile(&format!("{name}/")) => Sync::TileNames,
                Node::File(_) => Sync::StateNames,
            };
            if ignored != Some(kind) {
                folder.durable.insert(child, node);
            }
        }
        let now = folder.now.clone();
        folder.durable.retain(|child, _| now.contains_key(child));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.step()?;
        disk.folder(folder_of(name))?.now.remove(last(name));
        Ok(())
    }
}
