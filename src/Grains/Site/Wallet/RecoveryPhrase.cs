using System.Security.Cryptography;

namespace EmrMarket.Grains.Site.Wallet;

/// <summary>
/// A seed as 18 words that can be spoken and written down: each word is 16 bits as a proquint (Wilkerson 2009, arXiv:0901.4016), and the
/// last two are a checksum, the first 32 bits of the seed's SHA-256, so that a slip of the pen is noticed (all but 1 in 2^32).
/// </summary>
public static class RecoveryPhrase
{
    private const int ChecksumBytes = 4;
    private const string Consonants = "bdfghjklmnprstvz";
    private const string Vowels = "aiou";

    /// <summary>The words of a seed, joined by blanks.</summary>
    /// <exception cref="ArgumentException">The seed has not <see cref="PatientKeys.Length"/> bytes.</exception>
    public static string Write(ReadOnlySpan<byte> seed)
    {
        if (seed.Length != PatientKeys.Length)
        {
            throw new ArgumentException($"a seed has {PatientKeys.Length} bytes, got {seed.Length}", nameof(seed));
        }

        byte[] all = [.. seed, .. SHA256.HashData(seed).AsSpan(0, ChecksumBytes)];
        return string.Join(' ', Enumerable.Range(0, all.Length / 2).Select(i => Word((ushort)((all[2 * i] << 8) | all[(2 * i) + 1]))));
    }

    /// <summary>Reads the words back; blanks, line ends, hyphens and the case of letters do not count.</summary>
    /// <exception cref="WalletException">Too few or too many words, a word that is none, or a checksum that does not fit. The words are not
    /// repeated.</exception>
    public static byte[] Read(string phrase)
    {
        ArgumentNullException.ThrowIfNull(phrase);
        string[] words = phrase.ToUpperInvariant().Split([' ', '\t', '\r', '\n', '-'], StringSplitOptions.RemoveEmptyEntries);
        byte[] all = new byte[PatientKeys.Length + ChecksumBytes];
        if (words.Length != all.Length / 2)
        {
            throw new WalletException("phrase-length", $"a recovery phrase has {all.Length / 2} words, got {words.Length}");
        }

        for (int i = 0; i < words.Length; i++)
        {
            int value = Value(words[i]);
            if (value < 0)
            {
                throw new WalletException("phrase-word",
                    $"word {i + 1} is none of a recovery phrase: each has five letters, consonant, vowel, consonant, vowel, consonant");
            }

            (all[2 * i], all[(2 * i) + 1]) = ((byte)(value >> 8), (byte)value);
        }

        byte[] seed = all[..PatientKeys.Length];
        return SHA256.HashData(seed).AsSpan(0, ChecksumBytes).SequenceEqual(all.AsSpan(PatientKeys.Length)) ? seed
            : throw new WalletException("phrase-checksum",
                "the words do not belong together: one is wrong, or two are exchanged; compare them with what was written down");
    }

    private static string Word(ushort value) => new(
        [Consonants[value >> 12], Vowels[(value >> 10) & 3], Consonants[(value >> 6) & 15], Vowels[(value >> 4) & 3],
            Consonants[value & 15]]);

    private static int Value(string word)
    {
        if (word.Length != 5)
        {
            return -1;
        }

        int value = 0;
        for (int i = 0; i < word.Length; i++)
        {
            string letters = i % 2 == 0 ? Consonants : Vowels;
            int letter = letters.IndexOf(word[i], StringComparison.OrdinalIgnoreCase);
            if (letter < 0)
            {
                return -1;
            }

            value = (value * letters.Length) + letter;
        }

        return value;
    }
}
