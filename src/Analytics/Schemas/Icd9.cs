using System.Globalization;

namespace EmrMarket.Analytics.Schemas;

/// <summary>
/// The public code list of diagnoses ICD-9-CM (Centers for Disease Control and Prevention, last revision of October 2011), by rule: which
/// categories and chapters exist, and the normal form of a code that lost its point or its leading zeros.
/// </summary>
public static class Icd9
{
    /// <summary>The chapters: label, title, first and last category. V and E codes follow the seventeen numbered ones.</summary>
    private static readonly (string Label, string Title, int First, int Last)[] NumberedChapters =
    [
        ("001-139", "Infectious and parasitic diseases", 1, 139),
        ("140-239", "Neoplasms", 140, 239),
        ("240-279", "Endocrine, nutritional and metabolic diseases, and immunity disorders", 240, 279),
        ("280-289", "Diseases of the blood and blood-forming organs", 280, 289),
        ("290-319", "Mental disorders", 290, 319),
        ("320-389", "Diseases of the nervous system and sense organs", 320, 389),
        ("390-459", "Diseases of the circulatory system", 390, 459),
        ("460-519", "Diseases of the respiratory system", 460, 519),
        ("520-579", "Diseases of the digestive system", 520, 579),
        ("580-629", "Diseases of the genitourinary system", 580, 629),
        ("630-679", "Complications of pregnancy, childbirth and the puerperium", 630, 679),
        ("680-709", "Diseases of the skin and subcutaneous tissue", 680, 709),
        ("710-739", "Diseases of the musculoskeletal system and connective tissue", 710, 739),
        ("740-759", "Congenital anomalies", 740, 759),
        ("760-779", "Conditions originating in the perinatal period", 760, 779),
        ("780-799", "Symptoms, signs and ill-defined conditions", 780, 799),
        ("800-999", "Injury and poisoning", 800, 999),
    ];

    /// <summary>The 19 chapters in order.</summary>
    public static IReadOnlyList<LabelDocument> Chapters { get; } =
    [
        .. NumberedChapters.Select(c => new LabelDocument(c.Label, c.Title)),
        new("V01-V91", "Factors influencing health status and contact with health services"),
        new("E000-E999", "External causes of injury and poisoning"),
    ];

    /// <summary>The 2,090 three-digit categories in order: 001 to 999, V01 to V91, E000 to E999.</summary>
    public static IEnumerable<string> Categories()
    {
        for (int i = 1; i <= 999; i++)
        {
            yield return i.ToString("000", CultureInfo.InvariantCulture);
        }

        for (int i = 1; i <= 91; i++)
        {
            yield return "V" + i.ToString("00", CultureInfo.InvariantCulture);
        }

        for (int i = 0; i <= 999; i++)
        {
            yield return "E" + i.ToString("000", CultureInfo.InvariantCulture);
        }
    }

    /// <summary>The subdivisions of a category in their normal form, the category itself not included.</summary>
    public static IEnumerable<string> Subdivisions(string category)
    {
        // The fifth digit of diabetes (type and control) has four values; elsewhere any digit may occur.
        int fifthDigits = category == "250" ? 4 : 10;
        for (int fourth = 0; fourth <= 9; fourth++)
        {
            for (int fifth = 0; fifth < fifthDigits; fifth++)
            {
                string detail = string.Create(CultureInfo.InvariantCulture, $"{fourth}{fifth}").TrimEnd('0');
                if (detail.Length > 0)
                {
                    yield return category + "." + detail;
                }
            }
        }
    }

    /// <summary>
    /// The normal form of a code: three-digit category with its leading zeros, then the point and the subdivision without trailing zeros
    /// (files that once were numbers have lost them, so that 250.1 and 250.10 cannot be told apart). Accepts 38, 038, 250.83, 25083, 4019-,
    /// V270-, E8120.
    /// </summary>
    /// <returns>Category and normal form, or null when the text is no code of ICD-9.</returns>
    public static (string Category, string Code)? Normalise(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string code = text.TrimEnd('-');
        string prefix = code.Length > 0 && code[0] is 'V' or 'E' ? code[..1] : "";
        int digits = prefix == "V" ? 2 : 3;
        string rest = code[prefix.Length..];
        int point = rest.IndexOf('.', StringComparison.Ordinal);
        string category = point >= 0 ? rest[..point] : rest[..Math.Min(rest.Length, digits)];
        string detail = point >= 0 ? rest[(point + 1)..] : rest[category.Length..];
        if (category.Length == 0 || category.Length > digits || detail.Length > 2 || (prefix.Length > 0 && category.Length < digits)
            || !category.All(char.IsAsciiDigit) || !detail.All(char.IsAsciiDigit))
        {
            return null;
        }

        category = prefix + category.PadLeft(digits, '0');
        detail = detail.TrimEnd('0');
        return category is "000" or "V00" ? null : (category, detail.Length == 0 ? category : category + "." + detail);
    }

    /// <summary>The label of the chapter that a normalised category belongs to.</summary>
    public static string ChapterOf(string category)
    {
        ArgumentException.ThrowIfNullOrEmpty(category);
        if (category[0] == 'V')
        {
            return "V01-V91";
        }

        if (category[0] == 'E')
        {
            return "E000-E999";
        }

        int number = int.Parse(category, CultureInfo.InvariantCulture);
        return NumberedChapters.First(c => number >= c.First && number <= c.Last).Label;
    }
}
