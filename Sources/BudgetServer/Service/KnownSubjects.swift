import BudgetEngine
import BudgetModel
import SpendLedger

/// What the subjects of records resolved to: the budgets to charge, and the text of the fingerprint.
/// Memory: at most 4 MiB.
struct KnownSubjects {
  /// What one subject stands for.
  struct Meaning {
    var charged = ChargedSlots()
    var text = FingerprintText()
  }

  private var memo = MessageMemo(
    placeCount: 4_096, messageBound: Self.subjectBound, empty: Meaning())

  static let subjectBound = 256
  static let textBound = 512
  static let slotBound = 16

  /// Where `subject` is, if it is known under the configuration `generation`.
  @inline(__always)
  func place(of subject: NameBytes, under generation: UInt64) -> Int? {
    memo.place(of: subject, under: generation)
  }

  /// Lends what the subject at `place` stands for; the cost in its text may be changed.
  @inline(__always)
  mutating func withMeaning<Result>(
    at place: Int, _ body: (inout Meaning) -> Result
  ) -> Result {
    memo.withMeaning(at: place, body)
  }

  /// The budgets that the subject at `place` is charged to.
  @inline(__always)
  mutating func charged(at place: Int) -> ChargedSlots {
    memo.withMeaning(at: place) { $0.charged }
  }

  /// Remembers what `subject` stands for under the configuration `generation`.
  mutating func remember(
    _ subject: NameBytes, under generation: UInt64, charged: ChargedSlots, text: FingerprintText
  ) {
    guard charged.slots.count <= Self.slotBound, text.count <= Self.textBound else { return }
    memo.remember(subject, under: generation) { meaning in
      meaning.charged.copy(charged)
      meaning.text.copy(text)
    }
  }
}
