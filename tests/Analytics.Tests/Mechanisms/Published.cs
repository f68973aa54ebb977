using System.Globalization;
using System.Numerics;
using EmrMarket.Analytics.Budgets;
using EmrMarket.Analytics.Mechanisms;

namespace EmrMarket.Analytics.Tests.Mechanisms;

/// <summary>
/// e^epsilon to 74 decimals, computed by correctly rounded decimal arithmetic outside this project: the tests' own bound, independent of
/// the code's series.
/// </summary>
internal static class Published
{
    private static readonly Dictionary<long, string> Exponentials = new()
    {
        [100_000] = "1.10517091807564762481170782649024666822454719473751871879286328944096796675",
        [250_000] = "1.28402541668774148407342056806243645833628086528146308921750729687220776587",
        [500_000] = "1.64872127070012814684865078781416357165377610071014801157507931164066102119",
        [750_000] = "2.11700001661267466854536981983709561013449158470240342177913303081098453336",
        [1_000_000] = "2.71828182845904523536028747135266249775724709369995957496696762772407663035",
        [1_500_000] = "4.48168907033806482260205546011927581900574986836966705677265008278593667447",
        [2_000_000] = "7.38905609893065022723042746057500781318031557055184732408712782252257379608",
        [3_000_000] = "20.0855369231876677409285296545817178969879078385541501443789342296988458781",
        [4_000_000] = "54.5981500331442390781102612028608784027907370386140687258265939585536620999",
        [8_000_000] = "2980.95798704172827474359209945288867375596793913283570220896353038773072517",
    };

    /// <summary>The losses for which the exponential is known.</summary>
    public static IEnumerable<EpsilonMicro> Epsilons => Exponentials.Keys.Select(micro => new EpsilonMicro(micro));

    /// <summary>A ladder that is not the default one.</summary>
    public static GradeLadder OtherLadder { get; } = new([new(100_000), new(750_000), new(1_500_000), new(8_000_000)]);

    /// <summary>e^epsilon rounded to nearest at 74 significant digits.</summary>
    public static Rational Exponential(EpsilonMicro epsilon)
    {
        string digits = Exponentials[epsilon.Micro];
        int decimals = digits.Length - digits.IndexOf('.', StringComparison.Ordinal) - 1;
        return new Rational(BigInteger.Parse(
            digits.Replace(".", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture), BigInteger.Pow(10, decimals));
    }

    /// <summary>A bound of the error of <see cref="Exponential"/>, 10^-70.</summary>
    public static Rational Error { get; } = new(1, BigInteger.Pow(10, 70));
}
