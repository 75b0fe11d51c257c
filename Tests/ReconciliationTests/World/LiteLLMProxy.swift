/// A LiteLLM proxy beside the nodes.
final class LiteLLMProxy {
  init(place: Int, world: World) {}
  func act() {}
  func heal() {}
  func flush() {}
}
