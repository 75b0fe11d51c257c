import Digest
public import Documents

/// The id that LiteLLM computes for a deployment that has none.
public enum DeploymentIdentity {
  /// SHA-256 over the model's name and, for each parameter in the file's order, its key and value:
  /// a text as it is, a mapping as Python's `json.dumps`, anything else as Python's `str`.
  ///
  /// References to the environment are resolved already. Nil where Python could not compute one: a
  /// date as a key within a parameter.
  public static func computed(modelName: String, parameters: DocumentMapping) -> String? {
    var text = modelName
    for entry in parameters.entries {
      text += entry.key.pythonText
      guard case .mapping = entry.value.value else {
        text += entry.value.pythonText
        continue
      }
      guard let json = entry.value.pythonJSON else { return nil }
      text += json
    }
    return SHA256Digest.hexadecimal(of: text)
  }
}
