import BudgetEngine
import BudgetModel
import SpendLedger

/// The budgets that records were charged to before. Provider, deployment and model repeat from
/// record to record, so they are known byte by byte, as they stand in the message; and where the
/// tags repeat as well, they are known together with them. With each goes what it adds to the text
/// of a fingerprint.
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

  /// A subject as it is looked for; nil if it is not looked for.
  @inline(__always)
  mutating func sought(subject: NameBytes, under generation: UInt64) -> SoughtPart? {
    subjects.sought(subject, under: generation)
  }

  /// Subject and tags together as they are looked for; nil if they are not looked for.
  @inline(__always)
  mutating func sought(names: NameBytes, under generation: UInt64) -> SoughtPart? {
    self.names.sought(names, under: generation)
  }

  /// The slots of `subject`, if it is known; `body` is lent a text that begins with it.
  @inline(__always)
  mutating func recall(
    subject: SoughtPart, _ body: (borrowing FingerprintText) -> Void
  ) -> CandidateSlots? {
    guard let place = subjects.place(of: subject) else { return nil }
    return subjects.withMeaning(at: place) { meaning in
      body(meaning.text)
      return meaning.slots
    }
  }

  /// Remembers what `subject` stands for; `text` begins with it.
  mutating func remember(
    subject: SoughtPart, as slots: CandidateSlots, _ text: borrowing FingerprintText
  ) {
    guard let place = subjects.placeToWrite(subject) else { return }
    subjects.withMeaning(at: place) { meaning in
      meaning.slots = slots
      meaning.text.copySubject(of: text)
    }
  }

  /// Fills `charged` with what subject and tags are charged to, if they are known, and lends `body`
  /// the whole text of a record of theirs.
  @inline(__always)
  mutating func recall<Result>(
    names: SoughtPart, into charged: inout ChargedSlots,
    _ body: (inout FingerprintText) -> Result
  ) -> Result? {
    guard let place = self.names.place(of: names) else { return nil }
    return self.names.withMeaning(at: place) { meaning in
      charged.copy(meaning.charged)
      return body(&meaning.text)
    }
  }

  /// Remembers what subject and tags are charged to; `text` is the whole text of a record of theirs.
  mutating func remember(
    names: SoughtPart, as charged: borrowing ChargedSlots, _ text: borrowing FingerprintText
  ) {
    guard let place = self.names.placeToWrite(names) else { return }
    self.names.withMeaning(at: place) { meaning in
      meaning.charged.copy(charged)
      meaning.text.copyWithoutReservation(of: text)
    }
  }
}
