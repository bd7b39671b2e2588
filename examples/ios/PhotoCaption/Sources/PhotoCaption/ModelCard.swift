import Foundation

/// What an app must know of a model: the part of `model_card.json` that it uses.
///
/// A card that asks for a step that this code does not know is refused: decoding it throws.
public struct ModelCard: Decodable, Equatable {
    /// The classes, as the Core ML file names them.
    public let classNames: [String]
    /// The classes as a caption names them, "an airplane", in the same order.
    public let captionNouns: [String]
    public let imageHeight: Int
    public let imageWidth: Int
    public let preprocessing: Preprocessing
    /// The smallest probability at which a caption names a class; above 1, none is ever named. Nil: it was never measured.
    public let confidence: Double?

    /// The steps that turn a photo into the model's input, in this order.
    public struct Preprocessing: Decodable, Equatable {
        public let orientation: Orientation
        public let colorSpace: ColorSpace
        public let background: Background
        public let cropAndScale: CropAndScale
        public let resampling: Resampling
        public let pixels: Pixels
    }

    public enum Orientation: String, Decodable { case upright }
    public enum ColorSpace: String, Decodable { case sRGB }
    public enum Background: String, Decodable { case white }
    public enum CropAndScale: String, Decodable { case centerCrop }
    public enum Resampling: String, Decodable { case bilinear = "bilinear, antialiased" }
    public enum Pixels: String, Decodable { case rgb = "RGB, 0-255" }

    /// Reads a card. Throws `DecodingError` or `CardError` if the file is no card that this code understands.
    public init(json: Data) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(ModelCard.self, from: json)
        guard captionNouns.count == classNames.count else {
            throw CardError.nounsMissing(classes: classNames.count, nouns: captionNouns.count)
        }
    }
}

/// Why a card cannot be used.
public enum CardError: Error, Equatable {
    /// The card has not one noun for each class. Publish the model again.
    case nounsMissing(classes: Int, nouns: Int)
    /// The card is of another model than the one beside it: their classes differ.
    case otherModel
}
