import BudgetEngine
import BudgetModel
import SpendLedger

/// What records were charged to before. Provider, deployment and model repeat from record to record,
/// so they are known byte by byte, as they stand in the message; and where the tags repeat as well,
/// they are known together with them. With each goes what it adds to the text of a fingerprint.
///
/// Memory: nothing at first; at most 24 MiB, for 4,096 of each of the greatest length, and a tenth of
/// it for usual ones.
struct ChargeMemo {
  private struct Subject {
    var slots = CandidateSlots.none
    /// A text that begins with it.
    var text = FingerprintText()
  }

  private struct Names {
    var charged = ChargedSlots()
    /// The whole text of a record without a reservation, of some cost.
    var text = FingerprintText()
  }

  private var subjects = MessageMemo(placeCount: 4_096, partBound: 1_024, empty: Subject())
  private var names = MessageMemo(placeCount: 4_096, partBound: 1_024, empty: Names())

  /// What a subject is known by; nil where it is not looked for.
  @inline(__always)
  mutating func hash(ofSubject subject: NameBytes) -> UInt64? { subjects.hash(of: subject) }

  /// What subject and tags together are known by; nil where they are not looked for.
  @inline(__always)
  mutating func hash(ofNames names: NameBytes) -> UInt64? { self.names.hash(of: names) }

  /// The slots of `subject`, if it is known under the configuration `generation`. `keys` then has the
  /// text of a record of the subject, up to its tags.
  @inline(__always)
  mutating func recall(
    subject: NameBytes, _ hash: UInt64, under generation: UInt64,
    _ begin: (borrowing FingerprintText) -> Void
  ) -> CandidateSlots? {
    guard let place = subjects.place(of: subject, hash, under: generation) else { return nil }
    return subjects.withMeaning(at: place) { meaning in
      begin(meaning.text)
      return meaning.slots
    }
  }

  /// Remembers what `subject` stands for under the configuration `generation`; `text` begins with it.
  mutating func remember(
    subject: NameBytes, _ hash: UInt64, under generation: UInt64, as slots: CandidateSlots,
    _ text: borrowing FingerprintText
  ) {
    guard let place = subjects.placeToWrite(subject, hash, under: generation) else { return }
    subjects.withMeaning(at: place) { meaning in
      meaning.slots = slots
      meaning.text.copySubject(of: text)
    }
  }

  /// Fills `charged` with what subject and tags are charged to, if they are known under the
  /// configuration `generation`, and lends the whole text of a record of theirs.
  @inline(__always)
  mutating func recall<Result>(
    names: NameBytes, _ hash: UInt64, under generation: UInt64, into charged: inout ChargedSlots,
    _ body: (inout FingerprintText) -> Result
  ) -> Result? {
    guard let place = self.names.place(of: names, hash, under: generation) else { return nil }
    return self.names.withMeaning(at: place) { meaning in
      charged.copy(meaning.charged)
      return body(&meaning.text)
    }
  }

  /// Remembers what subject and tags are charged to under the configuration `generation`; `text` is
  /// the whole text of a record without a reservation.
  mutating func remember(
    names: NameBytes, _ hash: UInt64, under generation: UInt64, as charged: borrowing ChargedSlots,
    _ text: borrowing FingerprintText
  ) {
    guard let place = self.names.placeToWrite(names, hash, under: generation) else { return }
    self.names.withMeaning(at: place) { meaning in
      meaning.charged.copy(charged)
      meaning.text.copy(text)
    }
  }
}
