"""Prints the Swift tables of Sources/BudgetWire/Schema from a FileDescriptorSet of budget.proto.

    protoc --include_source_info --descriptor_set_out=SET ... && python3 swift_schema.py < SET

generate.sh runs it. The set is read by hand, since Python's protobuf package is not at hand
everywhere; the field numbers are those of google/protobuf/descriptor.proto. What the server's walk
could not judge in a request is refused here, with a sentence, and never found out by a peer.
"""

import re
import sys

ENVELOPE, REPLY, SERVICE = "Request", "Response", "BudgetService"
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
DOUBLE, FLOAT, GROUP, MESSAGE = 1, 2, 10, 11
WIRE_TYPES = {
    DOUBLE: FIXED64, FLOAT: FIXED32, 3: VARINT, 4: VARINT, 5: VARINT, 6: FIXED64, 7: FIXED32,
    8: VARINT, 9: LENGTH, MESSAGE: LENGTH, 12: LENGTH, 13: VARINT, 14: VARINT, 15: FIXED32,
    16: FIXED64, 17: VARINT, 18: VARINT,
}
REPEATED = 3


def fail(sentence):
    sys.exit(f"generate.sh: {sentence}")


def fields_of(data):
    """The fields of a message's bytes: {number: [value, ...]}."""
    fields, offset = {}, 0

    def varint():
        nonlocal offset
        value = shift = 0
        while True:
            byte = data[offset]
            offset += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while offset < len(data):
        key = varint()
        if key & 7 == LENGTH:
            length = varint()
            value, offset = data[offset:offset + length], offset + length
        elif key & 7 == VARINT:
            value = varint()
        else:
            fail(f"a descriptor has wire type {key & 7}, which none has")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def text(fields, number):
    return fields.get(number, [b""])[0].decode()


def number(fields, field):
    return fields.get(field, [0])[0]


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


class Field:
    def __init__(self, data, message):
        fields = fields_of(data)
        self.name, self.number = text(fields, 1), number(fields, 3)
        self.type, self.is_list = number(fields, 5), number(fields, 4) == REPEATED
        self.message = text(fields, 6).split(".")[-1] if self.type == MESSAGE else None
        self.is_optional = number(fields, 17) == 1
        self.oneof = fields[9][0] if 9 in fields and not self.is_optional else None
        self.path = f"{message}.{self.name}"
        self.wire_type = WIRE_TYPES.get(self.type)


class Message:
    def __init__(self, data):
        fields = fields_of(data)
        self.name = text(fields, 1)
        self.fields = sorted(
            (Field(field, self.name) for field in fields.get(2, [])), key=lambda f: f.number)
        self.oneofs = [text(fields_of(oneof), 1) for oneof in fields.get(8, [])]
        self.kind = self.name[:1].lower() + self.name[1:]
        if self.name != ENVELOPE:
            self.kind = re.sub("Request$", "", self.kind)
        self.singular = [field for field in self.fields if not field.is_list]
        self.lists = [field for field in self.fields if field.is_list]

    def members(self, oneof):
        """The members of the oneof of that name."""
        if oneof not in self.oneofs:
            fail(f"{self.name} has no oneof {oneof}")
        index = self.oneofs.index(oneof)
        return [field for field in self.fields if field.oneof == index]


class Schema:
    def __init__(self, data):
        file = fields_of(fields_of(data)[1][0])
        self.messages = {}
        for message in file.get(4, []):
            message = Message(message)
            self.messages[message.name] = message
        services = [fields_of(service) for service in file.get(6, [])]
        names = [text(service, 1) for service in services]
        if names != [SERVICE]:
            fail(f"the services are {names}, must be {SERVICE} alone")
        self.calls, comments = {}, self._comments(file)
        for index, call in enumerate(services[0].get(2, [])):
            call = fields_of(call)
            types = tuple(text(call, field).split(".")[-1] for field in (2, 3))
            self.calls[text(call, 1)] = types + (comments.get((6, 0, 2, index), ""),)
        self.methods = self.messages[ENVELOPE].members("method")
        self._check_methods()
        self.kinds = []
        self._collect(ENVELOPE, ())
        names = [message.kind for message in self.kinds]
        for message in self.kinds:
            if names.count(message.kind) > 1:
                fail(f"two messages are of kind {message.kind}: give one of them another name")
            self._check_fields(message)
        self._number_places()

    @staticmethod
    def _comments(file):
        """The comments before declarations, by their path in the file."""
        comments = {}
        for location in fields_of(file.get(9, [b""])[0]).get(1, []):
            location = fields_of(location)
            # Packed varints, all of them below 128 for what is looked up.
            path = tuple(location.get(1, [b""])[0])
            comments[path] = " ".join(text(location, 3).split())
        return comments

    def _check_methods(self):
        """A method stands in the service, in Request and in Response: they must agree."""
        self.call_names = {}
        answers = {field.number: field for field in self.messages[REPLY].members("result")}
        for method in self.methods:
            name = "".join(part.capitalize() for part in method.name.split("_"))
            answer = answers.pop(method.number, None)
            if name not in self.calls:
                fail(f"{method.path} has no rpc {name} in {SERVICE}")
            if answer is None or answer.name != method.name:
                fail(f"{REPLY} has no {method.name} = {method.number}, which {ENVELOPE} has")
            if self.calls[name][:2] != (method.message, answer.message):
                fail(f"rpc {name} takes and returns other messages than {ENVELOPE} and {REPLY} say")
            if method.number > 255:
                fail(f"{method.path} = {method.number}: a method's number is at most 255")
            self.call_names[method.name] = name
        for name in set(self.calls) - set(self.call_names.values()):
            fail(f"rpc {name} is not in {ENVELOPE}")
        for answer in answers.values():
            fail(f"{answer.path} = {answer.number} is not in {ENVELOPE}")

    def _collect(self, name, above):
        """Notes the messages that a request may hold, the outer ones first."""
        if name in above:
            fail(f"{name} holds itself: the walk goes no deeper than the schema does")
        message = self.messages[name]
        if message not in self.kinds:
            self.kinds.append(message)
        for field in message.fields:
            if field.message:
                self._collect(field.message, above + (name,))

    def _check_fields(self, message):
        for field in message.fields:
            if field.wire_type is None:
                fail(f"{field.path} is a group, which proto3 does not have")
            if field.is_list and field.wire_type != LENGTH:
                fail(f"{field.path} is a list of numbers: the walk does not count packed lists")
            if field.oneof is not None and message.name != ENVELOPE:
                fail(f"{field.path} is in a oneof: the walk judges {ENVELOPE}'s alone")

    def _number_places(self):
        """Gives each field a bit, or a list a place to be counted in.

        A singular field's bit is its number where that is small, as nearly all are: the quick steps
        over plain fields rely on it. Others get a bit that no number of the message takes.
        """
        self.bits = 32
        most = max(len(message.singular) for message in self.kinds)
        while self.bits < most + 1:
            self.bits *= 2
        if self.bits > 128:
            fail(f"a message has {most} singular fields, at most 127 are noted")
        self.list_places = max(1, max(len(message.lists) for message in self.kinds))
        for message in self.kinds:
            taken = {field.number for field in message.singular}
            free = (bit for bit in range(self.bits - 1, -1, -1) if bit not in taken)
            for field in message.singular:
                field.place = field.number if field.number < self.bits else next(free)
            for place, field in enumerate(message.lists):
                field.place = place


def wrapped(words, prefix):
    """A comment of lines of at most 100 characters."""
    lines, line = [], prefix
    for word in words.split():
        if len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = prefix
        line += " " + word
    return lines + [line]


def occurrence(field):
    if not field.is_list:
        return "once"
    if field.message == "Deployment":
        return "deployments"
    return "tags" if field.name == "tags" else "list"


def rule(field):
    parts = [str(field.wire_type), f".{occurrence(field)}", f"at: {field.place}"]
    if field.message:
        parts.append(f"holding: .{field.inner.kind}")
    return f"FieldRule({', '.join(parts)})"


def grouped(fields, value):
    """The fields by value, in the order of their first ones."""
    groups = {}
    for field in fields:
        groups.setdefault(value(field), []).append(field)
    return groups


def methods(schema):
    yield "/// The methods of the contract, by their field numbers in both envelopes."
    yield "public enum MethodName: UInt8, CaseIterable, Hashable, Sendable {"
    for method in schema.methods:
        comment = schema.calls[schema.call_names[method.name]][2]
        yield from wrapped(comment or method.name, "  ///")
        yield f"  case {camel(method.name)} = {method.number}"
    yield "}"
    yield ""
    yield "/// An element for what has no method, at 0, then one for each method, at its `position`."
    count = len(schema.methods) + 1
    yield f"public typealias PerMethod<Element: ~Copyable> = InlineArray<{count}, Element>"
    yield ""
    yield "extension MethodName: CustomStringConvertible {"
    yield from mapping(
        schema, "The method's position among all, from 1.", "@inlinable public var position: Int",
        lambda method: str(schema.methods.index(method) + 1))
    yield ""
    yield from mapping(
        schema, "The field's name in the envelopes, such as `filter_deployments`.",
        "public var description: String", lambda method: f'"{method.name}"')
    yield ""
    yield from mapping(
        schema, "The method's name in the contract's service, such as `FilterDeployments`.",
        "public var serviceName: String", lambda method: f'"{schema.call_names[method.name]}"')
    yield ""
    yield from mapping(
        schema, "The kind of the method's message.", "var messageKind: MessageKind",
        lambda method: f".{method.inner.kind}")
    yield "}"


def mapping(schema, comment, declaration, value):
    yield f"  /// {comment}"
    yield f"  {declaration} {{"
    yield "    switch self {"
    for method in schema.methods:
        yield f"    case .{camel(method.name)}: {value(method)}"
    yield "    }"
    yield "  }"


def kinds(schema):
    yield "/// A message that a request may hold: which rules its fields are judged by."
    yield "enum MessageKind: UInt8, CaseIterable, Hashable, Sendable {"
    for message in schema.kinds:
        yield f"  case {message.kind}"
    yield "}"
    yield ""
    yield "/// A bit for each singular field of a message, at its rule's place."
    yield f"typealias FieldSet = UInt{schema.bits}"
    yield ""
    yield "/// A number for each list of a message, at its rule's place."
    yield f"typealias ListCounts = InlineArray<{schema.list_places}, Int32>"


def rules(schema):
    yield "extension FieldRule {"
    yield "  /// The rule of field `number` of a message of `kind`; nil: the schema has no such field. A"
    yield "  /// switch rather than a dictionary: it compiles to a jump and touches no heap."
    yield "  @inline(__always)"
    yield "  static func rule(for number: UInt32, of kind: MessageKind) -> FieldRule? {"
    yield "    switch kind {"
    for message in schema.kinds:
        if not message.fields:
            yield f"    case .{message.kind}: nil"
            continue
        yield f"    case .{message.kind}:"
        yield "      switch number {"
        for field in message.fields:
            yield f"      case {field.number}: {rule(field)}"
        yield "      default: nil"
        yield "      }"
    yield "    }"
    yield "  }"
    yield ""
    yield "  /// The number of the list that is counted at `place` in a message of `kind`; 0: none is."
    yield "  static func list(at place: Int, of kind: MessageKind) -> UInt32 {"
    yield "    switch (kind, place) {"
    for message in schema.kinds:
        for field in message.lists:
            yield f"    case (.{message.kind}, {field.place}): {field.number}"
    yield "    default: 0"
    yield "    }"
    yield "  }"
    yield "}"


def names(schema):
    yield "extension WireField: CustomStringConvertible {"
    yield "  /// The field's name in budget.proto."
    yield "  public var description: String {"
    yield "    switch (message, number) {"
    for message in schema.kinds:
        for field in message.fields:
            yield f'    case (.{message.kind}, {field.number}): "{field.name}"'
    yield '    default: "field \\(number)"'
    yield "    }"
    yield "  }"
    yield "}"


def main():
    schema = Schema(sys.stdin.buffer.read())
    for message in schema.kinds:
        for field in message.fields:
            field.inner = schema.messages.get(field.message)
    print("// Written by proto/generate.sh from proto/budget/v1/budget.proto; never edited.")
    for part in (methods, kinds, rules, names):
        print()
        print("\n".join(part(schema)))


main()
