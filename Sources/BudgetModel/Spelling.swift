/// Tells words that were probably meant to be others.
public enum Spelling {
  /// The candidate that `word` misspells: at most two edits away. Nil where none is near.
  public static func nearest(to word: String, among candidates: [String]) -> String? {
    var best: (candidate: String, edits: Int)?
    for candidate in candidates {
      let edits = edits(from: word, to: candidate)
      if edits <= min(2, candidate.utf8.count / 3), edits < best?.edits ?? .max {
        best = (candidate, edits)
      }
    }
    return best?.candidate
  }

  /// How many letters were added, lost or changed, neighbours swapped counting as one, and case, `-`
  /// and `_` set aside. 3 where it is more than two, or a word is longer than 64 bytes.
  public static func edits(from word: String, to other: String) -> Int {
    let (left, right) = (normalized(word), normalized(other))
    guard left.count <= 64, abs(left.count - right.count) <= 2 else { return 3 }
    return min(3, distance(left, right))
  }

  private static func normalized(_ word: String) -> [UInt8] {
    word.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
  }

  /// The number of edits between two short words.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var older: [Int] = []
    var old = Array(0...right.count)
    for (row, letter) in left.enumerated() {
      var new = [row + 1]
      for (column, other) in right.enumerated() {
        var edits = min(
          old[column] + (letter == other ? 0 : 1), old[column + 1] + 1, new[column] + 1)
        if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
          edits = min(edits, older[column - 1] + 1)
        }
        new.append(edits)
      }
      older = old
      old = new
    }
    return old[right.count]
  }
}
