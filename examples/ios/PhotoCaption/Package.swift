// swift-tools-version:5.7
import PackageDescription

let package = Package(
    name: "PhotoCaption",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "PhotoCaption", targets: ["PhotoCaption"])],
    targets: [
        .target(name: "PhotoCaption"),
        .testTarget(
            name: "PhotoCaptionTests",
            dependencies: ["PhotoCaption"],
            resources: [.copy("model_card.json")]
        ),
    ]
)
