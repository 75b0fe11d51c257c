extension ServerFacts {
  /// Reads what `INFO` answers: lines of `name:value`. What is missing or strange stays nil.
  init(info: [UInt8]) {
    self.init()
    for line in info.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), line.first != UInt8(ascii: "#")
      else { continue }
      let name = String(decoding: line[..<colon].prefix(64), as: UTF8.self)
      let value = PrintableText.bounded(line[line.index(after: colon)...])
      switch name {
      case "run_id": runID = value
      case "master_replid": replicationID = value
      case "redis_version": version = value
      case "role": role = value
      case "maxmemory_policy": evictionPolicy = value
      case "maxmemory": memoryLimit = Int64(value)
      case "cluster_enabled": isCluster = value == "1"
      case "loading": isLoading = value == "1"
      default: break
      }
    }
  }
}
