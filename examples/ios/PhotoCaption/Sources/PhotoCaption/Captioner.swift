/// One class, and how likely a model finds it, 0 to 1.
public struct Classification: Equatable, Sendable {
    public let className: String
    public let probability: Double

    public init(className: String, probability: Double) {
        self.className = className
        self.probability = probability
    }
}

/// Writes captions as a model's card asks for them.
public struct Captioner: Sendable {
    /// For cards that state no confidence, as `pipeline.predict` does: a class more likely than all others together.
    public static let unmeasuredConfidence = 0.5

    private let nouns: [String: String]
    private let confidence: Double

    public init(card: ModelCard) {
        nouns = Dictionary(zip(card.classNames, card.captionNouns), uniquingKeysWith: { first, _ in first })
        confidence = card.confidence ?? Captioner.unmeasuredConfidence
    }

    /// Returns "Ada uploaded a photo of a frog" or, if the model is unsure, "Ada uploaded a photo".
    public func caption(by member: String, for classifications: [Classification]) -> String {
        let plain = "\(member) uploaded a photo"
        guard let best = classifications.max(by: { $0.probability < $1.probability }),
              best.probability >= confidence,
              let noun = nouns[best.className]
        else { return plain }
        return "\(plain) of \(noun)"
    }
}
