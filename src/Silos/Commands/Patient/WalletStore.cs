using System.CommandLine;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Signing;
using EmrMarket.Grains.Site;
using EmrMarket.Grains.Site.Wallet;
using EmrMarket.Silos.Commands.Client;

namespace EmrMarket.Silos.Commands.Patient;

/// <summary>Opens and writes wallet files for commands: the passphrase comes from a terminal or a file.</summary>
internal static class WalletStore
{
    /// <summary>The option that names a file with the passphrase.</summary>
    public const string PassphraseOption = "--passphrase-file";

    /// <summary>The option for a wallet's passphrase.</summary>
    public static Option<string?> Passphrase() => new(PassphraseOption)
    {
        Description =
            "A file, readable by its owner only, that holds the passphrase on its first line; without it the passphrase is asked for.",
            HelpName = "FILE",
    };

    /// <summary>Opens a wallet.</summary>
    /// <exception cref="CommandException">There is no such file, or it does not open.</exception>
    public static WalletFile Open(string file, string? passphraseFile) =>
        OpenWith(file, Secrets.Read("the wallet's passphrase", passphraseFile, PassphraseOption));

    /// <summary>Opens a wallet with a passphrase that is known.</summary>
    private static WalletFile OpenWith(string file, string passphrase)
    {
        try
        {
            return WalletFile.Read(File.ReadAllBytes(file), passphrase);
        }
        catch (WalletException e)
        {
            throw new CommandException(ExitCode.Usage, $"{file}: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"the wallet {file} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Seals a wallet into a file that only its owner can read.</summary>
    public static void Write(WalletFile wallet, string file, string passphrase, bool replace)
    {
        try
        {
            Secrets.Write(file, wallet.Write(passphrase), replace);
        }
        catch (WalletException e)
        {
            throw new CommandException(ExitCode.Usage, e.Message, e);
        }
    }

    /// <summary>Whether the wallet's seed gives the key of a payout address.</summary>
    public static bool Derives(this WalletFile wallet, Bytes32 pseudonym, uint epoch, Address payee)
    {
        // Sites have few addresses an epoch, and 2^16 at most (docs/WIRE.md, "Trees").
        byte[] account = PatientKeys.Account(wallet.Seed), chainCode = PatientKeys.ChainCode(wallet.Seed);
        for (int known = 0, count = 16; known < 1 << 16; (known, count) = (count, count * 16))
        {
            if (EthereumAccount.AddressesOf([.. Enumerable.Range(known, count - known).Select(index => ChildKeys.Private(
                account, PatientKeys.PayoutTweak(chainCode, pseudonym, epoch, (uint)index)))]).Contains(payee))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The account that commands a pseudonym.</summary>
    public static EthereumAccount Controller(this WalletFile wallet, Bytes32 pseudonym) =>
        new(PatientKeys.Controller(wallet.Seed, pseudonym));
}
