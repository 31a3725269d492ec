//! A person's account and history.

use subrosa_vault::{
    Account, Entry, History, HistoryError, ObjectId, ObjectKind, Pin, RecordHeader, RecoveryCode,
    ShareKey, SlotId, SlotSecret, Stub, Write,
};
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::random::random;

/// What the holder of a slot has.
#[wasm_bindgen]
pub struct Secret {
    secret: SlotSecret,
}

/// An account whose secrets are open.
#[wasm_bindgen]
pub struct Member {
    account: Account,
    /// What the slot's holder saw last.
    pin: Pin,
}

/// A change of slots that counts once the store has taken it.
#[wasm_bindgen]
pub struct Change {
    change: subrosa_vault::Change,
    pin: Pin,
}

/// The records of an account, as this device follows them.
#[wasm_bindgen]
pub struct Chronicle {
    history: History,
}

/// Contents of records, in order.
#[wasm_bindgen]
pub struct Contents {
    entries: Vec<Entry>,
    needs_roster: bool,
}

/// What a passkey's PRF is asked for (`eval.first`).
#[wasm_bindgen(js_name = prfInput)]
#[must_use]
pub fn prf_input() -> Vec<u8> {
    subrosa_vault::prf_input().to_vec()
}

/// The words of a new recovery code.
#[wasm_bindgen(js_name = newRecoveryWords)]
#[must_use]
pub fn new_recovery_words() -> String {
    RecoveryCode::generate(&mut random()).words().to_string()
}

/// What logs in to the store by a recovery code: `name` and `proof`, 32 and 64 hexadecimal digits, with a space between.
///
/// # Errors
///
/// `recovery-code-wrong`.
#[wasm_bindgen(js_name = recoveryLogin)]
pub fn recovery_login(words: &str) -> Result<String, Failure> {
    let login = RecoveryCode::parse(words)?.login();
    Ok(format!(
        "{} {}",
        hex::encode(login.name),
        hex::encode(login.proof.as_slice())
    ))
}

#[wasm_bindgen]
impl Secret {
    /// A passkey's PRF output.
    ///
    /// # Errors
    ///
    /// `slot-refused` for another length than 32 bytes.
    pub fn passkey(prf: Vec<u8>) -> Result<Secret, Failure> {
        Ok(Self {
            secret: SlotSecret::Passkey(thirty_two(prf)?),
        })
    }

    /// What this device keeps.
    ///
    /// # Errors
    ///
    /// `slot-refused` for another length than 32 bytes.
    pub fn device(key: Vec<u8>) -> Result<Secret, Failure> {
        Ok(Self {
            secret: SlotSecret::Device(thirty_two(key)?),
        })
    }

    /// A recovery code.
    ///
    /// # Errors
    ///
    /// `recovery-code-wrong` says what is wrong with the words.
    pub fn recovery(words: &str) -> Result<Secret, Failure> {
        Ok(Self {
            secret: SlotSecret::RecoveryCode(RecoveryCode::parse(words)?),
        })
    }
}

#[wasm_bindgen]
impl Member {
    /// A new account with its first slot.
    ///
    /// # Errors
    ///
    /// None that a browser's random numbers could cause.
    pub fn create(secret: &Secret) -> Result<Change, Failure> {
        let change = Account::create(&secret.secret, &mut random())?;
        let pin = Pin::new(change.account.id());
        Ok(Change { change, pin })
    }

    /// Opens an account through a slot. `known` is the list of slots that this device has kept, if it has: an older one, or another
    /// of the same version, is refused.
    ///
    /// # Errors
    ///
    /// The codes of spec/history.md §8.
    pub fn unlock(
        locked: &[u8],
        secret: &Secret,
        roster: &[u8],
        known: Option<Vec<u8>>,
    ) -> Result<Member, Failure> {
        let (account, pin) = Account::unlock(locked, &secret.secret, roster, None)?;
        let Some(known) = known.filter(|known| known != roster) else {
            return Ok(Self { account, pin });
        };
        // What was kept was verified then; a copy that is damaged says nothing about the store.
        let Ok((kept, _)) = Account::unlock(locked, &secret.secret, &known, None) else {
            return Ok(Self { account, pin });
        };
        let account = kept.refresh(roster)?;
        Ok(Self { account, pin })
    }

    /// Takes a newer list of slots.
    ///
    /// # Errors
    ///
    /// The codes of spec/history.md §8.
    pub fn refresh(&mut self, roster: &[u8]) -> Result<(), Failure> {
        self.account = self.account.refresh(roster)?;
        Ok(())
    }

    /// Adds a slot.
    ///
    /// # Errors
    ///
    /// `history-too-many`.
    #[wasm_bindgen(js_name = addSlot)]
    pub fn add_slot(&self, secret: &Secret, chronicle: &Chronicle) -> Result<Change, Failure> {
        let pin = chronicle.history.pin();
        let change = self.account.add_slot(&secret.secret, &pin, &mut random())?;
        Ok(Change { change, pin })
    }

    /// Removes a slot, with new keys for what is written afterwards.
    ///
    /// # Errors
    ///
    /// `slot-unknown`, `slot-in-use`, `history-too-many`.
    #[wasm_bindgen(js_name = removeSlot)]
    pub fn remove_slot(&self, slot: &str, chronicle: &Chronicle) -> Result<Change, Failure> {
        let change = self
            .account
            .remove_slot(SlotId(sixteen(slot)?), &mut random())?;
        let pin = chronicle.history.pin();
        Ok(Change { change, pin })
    }

    /// The locked key of the slot in use, remembering what was seen now.
    ///
    /// # Errors
    ///
    /// None that a browser's random numbers could cause.
    pub fn lock(&self, chronicle: &Chronicle) -> Result<Vec<u8>, Failure> {
        Ok(self.account.lock(&chronicle.history.pin(), &mut random())?)
    }

    /// The slot in use.
    #[must_use]
    pub fn slot(&self) -> String {
        self.account.slot().to_string()
    }

    /// All slots and their kinds (1 passkey, 2 recovery code, 3 device): lines of `slot kind`.
    #[must_use]
    pub fn slots(&self) -> String {
        let lines = self.account.roster().slots().map(|(slot, kind)| {
            let kind = match kind {
                subrosa_vault::SlotKind::Passkey => 1,
                subrosa_vault::SlotKind::RecoveryCode => 2,
                _ => 3,
            };
            format!("{slot} {kind}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether history may be kept: with two slots, one of which is not a device.
    #[wasm_bindgen(js_name = maySynchronise)]
    #[must_use]
    pub fn may_synchronise(&self) -> bool {
        self.account.roster().may_synchronise()
    }

    /// The version of the list of slots.
    #[wasm_bindgen(js_name = rosterVersion)]
    #[must_use]
    pub fn roster_version(&self) -> String {
        self.account.roster().version().to_string()
    }
}

#[wasm_bindgen]
impl Change {
    /// The new list of slots, to be put first.
    #[must_use]
    pub fn roster(&self) -> Vec<u8> {
        self.change.roster.clone()
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> String {
        self.change.account.roster().version().to_string()
    }

    /// The new slot, if there is one.
    #[must_use]
    pub fn slot(&self) -> Option<String> {
        let (slot, _) = self.change.locked.as_ref()?;
        Some(slot.to_string())
    }

    /// Its locked key.
    #[must_use]
    pub fn locked(&self) -> Option<Vec<u8>> {
        let (_, locked) = self.change.locked.as_ref()?;
        Some(locked.clone())
    }

    /// The account afterwards: once the store has taken the change.
    #[must_use]
    pub fn taken(self) -> Member {
        Member {
            account: self.change.account,
            pin: self.pin,
        }
    }
}

#[wasm_bindgen]
impl Chronicle {
    /// Begins without records. What the slot's holder saw must be met on the way.
    #[must_use]
    pub fn empty(member: &Member) -> Chronicle {
        Self {
            history: History::new(member.account.id(), &[member.pin]),
        }
    }

    /// Begins with the parts of `history/counted`: records that count, then the manifest. Contents come with it.
    ///
    /// # Errors
    ///
    /// `history-incomplete`, and the other codes of spec/history.md §8.
    pub fn begin(member: &Member, parts: &[u8]) -> Result<Begun, Failure> {
        let parts = split(parts)?;
        let records: Vec<_> = parts.iter().map(|(_, bytes)| *bytes).collect();
        let (manifest, records) = records
            .split_last()
            .ok_or_else(|| Failure::new("history-incomplete", "the store sent nothing"))?;
        let records = records.iter().copied();
        let (history, entries) = History::begin(&member.account, &[member.pin], manifest, records)?;
        Ok(Begun {
            chronicle: Self { history },
            contents: Contents {
                entries,
                needs_roster: false,
            },
        })
    }

    /// Takes the parts of `history/records`, and refuses a store whose newest record is older than what was seen.
    ///
    /// # Errors
    ///
    /// The codes of spec/history.md §8.
    pub fn accept(
        &mut self,
        member: &Member,
        parts: &[u8],
        newest: &str,
    ) -> Result<Contents, Failure> {
        let newest = newest
            .parse()
            .map_err(|_| Failure::new("history-malformed", "the store named no newest record"))?;
        self.history.check_newest(newest)?;
        let (mut entries, mut needs_roster) = (Vec::new(), false);
        for (is_stub, bytes) in split(parts)? {
            if is_stub {
                self.history.accept_stub(&Stub::parse(bytes)?)?;
                continue;
            }
            match self.history.accept(&member.account, bytes) {
                Ok(entry) => entries.push(entry),
                // Another device has removed a slot. What came before is not lost.
                Err(HistoryError::Epoch(_)) => {
                    needs_roster = true;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if self.history.pin().sequence >= newest {
            self.history.check_followed()?;
        }
        Ok(Contents {
            entries,
            needs_roster,
        })
    }

    /// Takes this device's own record, which the store has taken.
    ///
    /// # Errors
    ///
    /// The codes of spec/history.md §8.
    #[wasm_bindgen(js_name = acceptOwn)]
    pub fn accept_own(&mut self, member: &Member, record: &[u8]) -> Result<(), Failure> {
        self.history.accept(&member.account, record)?;
        Ok(())
    }

    /// Makes the next record: `how` is `append`, `rewrite`, `replace` or `delete`.
    ///
    /// # Errors
    ///
    /// The codes of spec/history.md §8.
    pub fn seal(
        &self,
        member: &Member,
        how: &str,
        object: &str,
        content: Vec<u8>,
    ) -> Result<Vec<u8>, Failure> {
        let content = Zeroizing::new(content);
        let object = ObjectId(sixteen(object)?);
        let write = match how {
            "append" => Write::Append(object),
            "rewrite" => Write::Rewrite(object),
            "replace" => Write::Replace(object),
            "delete" => Write::Delete(object),
            _ => {
                return Err(Failure::new(
                    "history-malformed",
                    "there is no such way to write",
                ));
            }
        };
        Ok(self
            .history
            .seal(&member.account, write, &content, &mut random())?)
    }

    /// Makes a manifest, if one is due.
    ///
    /// # Errors
    ///
    /// The codes of spec/history.md §8.
    pub fn manifest(&self, member: &Member) -> Result<Option<Vec<u8>>, Failure> {
        if !self.history.wants_manifest() {
            return Ok(None);
        }
        Ok(Some(
            self.history.seal_manifest(&member.account, &mut random())?,
        ))
    }

    /// The newest record's sequence.
    #[must_use]
    pub fn sequence(&self) -> String {
        self.history.pin().sequence.to_string()
    }

    /// The head after it, in hexadecimal: two people whose devices show the same have the same history.
    #[must_use]
    pub fn head(&self) -> String {
        hex::encode(self.history.pin().head)
    }
}

/// A history that began with a manifest.
#[wasm_bindgen]
pub struct Begun {
    chronicle: Chronicle,
    contents: Contents,
}

#[wasm_bindgen]
impl Begun {
    /// The contents of the records that count. Taken once.
    pub fn contents(&mut self) -> Contents {
        Contents {
            entries: core::mem::take(&mut self.contents.entries),
            needs_roster: false,
        }
    }

    /// The history.
    #[must_use]
    pub fn chronicle(self) -> Chronicle {
        self.chronicle
    }
}

#[wasm_bindgen]
impl Contents {
    /// How many there are.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn length(&self) -> usize {
        self.entries.len()
    }

    /// Whether what follows is under a newer key: read the list of slots, then go on.
    #[wasm_bindgen(getter, js_name = needsRoster)]
    #[must_use]
    pub fn needs_roster(&self) -> bool {
        self.needs_roster
    }

    /// The object of one, in hexadecimal.
    #[must_use]
    pub fn object(&self, index: usize) -> Option<String> {
        self.header(index).map(|header| header.object.to_string())
    }

    /// What one does: `append`, `rewrite`, `replace`, `delete` or `manifest`.
    #[must_use]
    pub fn how(&self, index: usize) -> Option<String> {
        let header = self.header(index)?;
        let is_whole = header.first_version == header.version;
        let how = match header.kind {
            ObjectKind::Manifest => "manifest",
            _ if header.is_deletion => "delete",
            ObjectKind::Item => "replace",
            _ if is_whole => "rewrite",
            _ => "append",
        };
        Some(how.to_owned())
    }

    /// The content of one.
    #[must_use]
    pub fn content(&self, index: usize) -> Option<Vec<u8>> {
        Some(self.entries.get(index)?.content.to_vec())
    }

    fn header(&self, index: usize) -> Option<&RecordHeader> {
        Some(&self.entries.get(index)?.header)
    }
}

/// Seals a conversation to be shared: 32 bytes of key, then the copy.
///
/// # Errors
///
/// `history-too-long`.
#[wasm_bindgen(js_name = sealShare)]
pub fn seal_share(share: &str, content: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let content = Zeroizing::new(content);
    let key = ShareKey::generate(&mut random());
    let share = ObjectId(sixteen(share)?);
    let sealed = subrosa_vault::seal_share(&key, share, &content, &mut random())?;
    Ok([&key.to_bytes()[..], &sealed].concat())
}

/// Opens a shared conversation.
///
/// # Errors
///
/// `share-refused`.
#[wasm_bindgen(js_name = openShare)]
pub fn open_share(key: Vec<u8>, share: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
    let refused = |_| Failure::new("share-refused", "the link has no key");
    let key = ShareKey::from_bytes(key.try_into().map_err(refused)?);
    let share = ObjectId(sixteen(share)?);
    Ok(subrosa_vault::open_share(&key, share, sealed)?.to_vec())
}

/// Parts of an answer with records (spec/store.md).
fn split(mut body: &[u8]) -> Result<Vec<(bool, &[u8])>, Failure> {
    let mut parts = Vec::new();
    while !body.is_empty() {
        let part = split_one(&mut body);
        let malformed = || Failure::new("history-malformed", "the store's answer is cut off");
        parts.push(part.ok_or_else(malformed)?);
    }
    Ok(parts)
}

fn split_one<'a>(body: &mut &'a [u8]) -> Option<(bool, &'a [u8])> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    let (&is_stub, rest) = rest.split_first()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    *body = rest;
    (is_stub <= 1).then_some((is_stub == 1, bytes))
}

fn sixteen(text: &str) -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    let malformed = |_| Failure::new("history-malformed", "a name has 32 hexadecimal digits");
    hex::decode_to_slice(text, &mut bytes).map_err(malformed)?;
    Ok(bytes)
}

fn thirty_two(bytes: Vec<u8>) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let bytes = Zeroizing::new(bytes);
    let refused = |_| Failure::new("slot-refused", "a slot's secret has 32 bytes");
    Ok(Zeroizing::new(
        bytes.as_slice().try_into().map_err(refused)?,
    ))
}
