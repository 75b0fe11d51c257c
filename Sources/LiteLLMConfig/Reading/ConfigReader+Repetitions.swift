import Documents

// Keys that stand twice in one mapping: to Python the last one counts.

extension ConfigReader {
  /// Says what the repetitions of `keys` lose, nil for all keys: refused where that is a budget or a
  /// Redis, or a value of one; else a warning.
  mutating func judgeRepetitions(
    of keys: Set<String>? = nil, in mapping: DocumentMapping, at path: String
  ) {
    for repetition in mapping.repetitions {
      let name = repetition.key.text ?? repetition.key.pathSegment
      guard keys?.contains(name) ?? true, let counts = value(of: repetition.key, in: mapping) else {
        continue
      }
      let place = path.isEmpty ? name : "\(path).\(repetition.key.pathSegment)"
      let old = repetition.value
      let losses = SectionLosses(of: old, replacedBy: counts, section: place, sameName: true)
      let there = warnings.lines.words(old.line, from: repetition.key.line)
      let again = "'\(DocumentProblem.plain(name))' stands here a second time"
      if !losses.grave.isEmpty {
        log.add(
          repetition.key, place,
          "\(again), and only the last one would count: \(SectionLosses.words(losses.grave)) of "
            + "\(there) would be lost: join them")
      } else if losses.others.isEmpty {
        warnings.add(
          repetition.key, place, "\(again), which loses nothing of \(there): take one of them out")
      } else {
        warnings.add(
          repetition.key, place,
          "\(again), and only the last one counts: \(SectionLosses.words(losses.others)) of "
            + "\(there) is lost")
      }
    }
  }

  private func value(of key: DocumentNode, in mapping: DocumentMapping) -> DocumentNode? {
    mapping.entries.first { $0.key.pythonKey == key.pythonKey }?.value
  }
}
